"""Other languages than Python are cut by tree-sitter, where it and their grammars are installed.

pip install tree-sitter==0.26.1 tree-sitter-javascript==0.25.0 tree-sitter-typescript==0.23.2
  tree-sitter-go==0.25.0 tree-sitter-rust==0.24.2 tree-sitter-java==0.23.5
  tree-sitter-c==0.24.2 tree-sitter-cpp==0.23.4
"""

import random
import time
from importlib.util import find_spec

import pytest

from search import code, grammars
from search.chunks import LONGEST_LEAD, MOST

TEXTS = {
    "javascript": """// Claims.
// All of them.
export function claim(agent) { return agent; }
export class Queue {
  size = 1;
  pop() { return 1; }
  async push(x) {
    function inner() {}
    return x;
  }
}
const renew = async (lease) => lease + 1, other = 3;
""",
    "typescript": """interface Agent { id: string; run(): void }
export abstract class Base<T> {
  abstract f(): void;
  get y(): T { return this.x }
}
enum Color { Red, Green }
export const f = (a: number): number => a;
""",
    "tsx": "export const App = () => <div>{1}</div>;\n",
    "go": """package main
type Queue struct { n int }
// Pop takes one.
func (q *Queue) Pop() int { return q.n }
func (q Pair[K, V]) Put() {}
func Claim(a int) int { return a }
""",
    "rust": """/// Doc.
pub fn claim(a: u8) -> u8 { a }
impl<T> Queue<T> {
  fn pop(&self) {}
}
trait Pops { fn y(&self) {} }
""",
    "java": """public class Queue<T> {
  public Queue() {}
  /** Pops. */
  public int pop() { return n; }
}
enum Color { RED; void f() {} }
record R(int a) {}
""",
    "c": """/* adds */
static int add(int a, int b) { return a + b; }
int *ptr(void) { return 0; }
int (*fp(int a))(int) { return 0; }
struct S { int a; };
struct S make(void) { struct S s; return s; }
""",
    "cpp": """class Q {
 public:
  int pop() { return 1; }
  int operator+(int x) { return x; }
};
int Q::push(int x) { return x; }
std::vector<int>& ref() { static std::vector<int> v; return v; }
""",
}
DEFINED = {
    "javascript": {
        ("claim", "function", "// Claims.\n// All of them."),
        ("Queue", "class", ""),
        ("Queue.pop", "method", ""),
        ("Queue.push", "method", ""),
        ("Queue.push.inner", "function", ""),
        ("renew", "function", ""),
    },
    "typescript": {
        ("Agent", "class", ""),
        ("Base", "class", ""),
        ("Base.y", "method", ""),
        ("Color", "class", ""),
        ("f", "function", ""),
    },
    "tsx": {("App", "function", "")},
    "go": {
        ("Queue", "class", ""),
        ("Queue.Pop", "method", "// Pop takes one."),
        ("Pair.Put", "method", ""),
        ("Claim", "function", ""),
    },
    "rust": {
        ("claim", "function", "/// Doc."),
        ("Queue", "class", ""),
        ("Queue.pop", "method", ""),
        ("Pops", "class", ""),
        ("Pops.y", "method", ""),
    },
    "java": {
        ("Queue", "class", ""),
        ("Queue.Queue", "method", ""),
        ("Queue.pop", "method", "/** Pops. */"),
        ("Color", "class", ""),
        ("Color.f", "method", ""),
        ("R", "class", ""),
    },
    "c": {
        ("add", "function", "/* adds */"),
        ("ptr", "function", ""),
        ("fp", "function", ""),
        ("S", "class", ""),
        ("make", "function", ""),
    },
    "cpp": {
        ("Q", "class", ""),
        ("Q.pop", "method", ""),
        ("Q.operator+", "method", ""),
        ("Q.push", "function", ""),
        ("ref", "function", ""),
    },
}


@pytest.fixture(params=TEXTS)
def language(request):
    """A language whose grammar is installed."""
    for module in ("tree_sitter", grammars.GRAMMARS[request.param][0]):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed; it is not required")
    return request.param


def test_what_is_defined_is_found_with_what_it_is_in(language):
    found = grammars.definitions(TEXTS[language], language)

    assert {(one.symbol, one.kind, one.lead) for one in found} == DEFINED[language]
    lines = TEXTS[language].split("\n")
    for one in found:
        name = one.symbol.rpartition(".")[2]
        assert name in "\n".join(lines[one.span.first - 1 : one.span.last])


def test_every_line_is_in_a_piece(language):
    pieces = code.pieces(TEXTS[language], language)

    together = "\n".join(piece.content for piece in pieces)
    assert [line for line in TEXTS[language].split("\n") if line not in together] == []


def test_what_is_no_code_is_text_and_takes_no_long(language):
    chance = random.Random(1)  # noqa: S311 (not for secrets)
    text = TEXTS[language]
    for _ in range(200):
        start = chance.randrange(len(text))
        garbled = text[:start] + text[start + chance.randrange(20) :]
        assert code.pieces(garbled, language)
    started = time.process_time()

    for hostile in ("}{)(;'\"`/*" * 60_000, "(" * 100_000, f"{text}\n" * 3_000):
        assert 0 < len(code.pieces(hostile, language)) <= MOST
    assert grammars.definitions("// x\n" * 9_000 + text, language)
    assert all(len(one.lead) <= LONGEST_LEAD for one in grammars.definitions(text, language))

    assert time.process_time() - started < 30
