"""Definitions in other languages than Python, by tree-sitter: where it and the language's grammar
are installed (`tree-sitter` and, for example, `tree-sitter-javascript`), which is never required.
"""

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from typing import Any

from search.chunks import LONGEST_LEAD, MOST, Span

GRAMMARS = {
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "java": ("tree_sitter_java", "language"),
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
}
"""The module of a language's grammar, and its function."""
KINDS = {
    "function_declaration": "function",
    "generator_function_declaration": "function",
    "function_definition": "function",
    "function_item": "function",
    "method_definition": "method",
    "method_declaration": "method",
    "constructor_declaration": "method",
    "class_declaration": "class",
    "abstract_class_declaration": "class",
    "enum_declaration": "class",
    "record_declaration": "class",
    "class_specifier": "class",
    "struct_item": "class",
    "struct_specifier": "class",
    "enum_specifier": "class",
    "union_specifier": "class",
    "interface_declaration": "class",
    "impl_item": "class",
    "trait_item": "class",
    "enum_item": "class",
    "type_spec": "class",
}
VALUES = {"arrow_function", "function_expression", "class"}
NAMED_IN_USE = {"class_specifier", "struct_specifier", "enum_specifier", "union_specifier"}
"""What defines a type where it has a body, and else is a use of one."""
RECEIVER = re.compile(r"(\w+)(?:\[[^\]]*\])?\s*\)$")  # the type of Go's (q *Queue[T])
DEEPEST = 100
SECONDS = 2.0  # after which a file is cut by lines: what is no code can take minutes

log = logging.getLogger("coordinator.search")


@dataclass(frozen=True, slots=True)
class Definition:
    """What a file defines; `symbol` has what it is in before a dot. `depth`: in how many others."""

    symbol: str
    kind: str
    span: Span
    lead: str = ""
    depth: int = 0


def definitions(text: str, language: str) -> list[Definition]:
    """The first definitions of a file in their order; none where no grammar is there to tell."""
    parser = _parser(language)
    if parser is None:
        return []
    source = text.encode()
    until = time.monotonic() + SECONDS
    try:
        tree = parser.parse(
            lambda start, _: source[start : start + 65_536],
            progress_callback=lambda start, is_wrong: time.monotonic() > until,
        )
    except (TypeError, ValueError):  # an older tree-sitter, which cannot be stopped; or stopped
        parser.reset()
        return []
    return list(islice(_below(tree.root_node, source, []), MOST))


@cache
def _parser(language: str) -> Any | None:
    module, function = GRAMMARS.get(language, ("", ""))
    if not module or find_spec("tree_sitter") is None or find_spec(module) is None:
        return None
    tree_sitter: Any = import_module("tree_sitter")
    grammar = getattr(import_module(module), function)()
    try:
        return tree_sitter.Parser(tree_sitter.Language(grammar))
    except (TypeError, ValueError) as problem:  # the grammar is of another version
        log.warning("A grammar is not used.", extra={"language": language, "problem": str(problem)})
        return None


def _below(
    node: Any, source: bytes, within: list[Definition], depth: int = 0, before: bytes = b""
) -> Iterator[Definition]:
    """The definitions in a node; `before`: the comments above it."""
    for child in node.children:
        if "comment" in child.type:
            comment = source[child.start_byte : child.end_byte].strip()
            before = (before + b"\n" + comment if before else comment)[: 4 * LONGEST_LEAD]
            continue
        found = _defined(child, source, within, before)
        if found:
            yield found
        if depth < DEEPEST:
            inner, above = ([*within, found], b"") if found else (within, before)
            yield from _below(child, source, inner, depth + 1, above)
        if child.is_named:
            before = b""


def _defined(
    node: Any, source: bytes, within: list[Definition], before: bytes
) -> Definition | None:
    kind = _kind(node)
    named = _named(node) if kind else None
    if not kind or named is None:
        return None
    name = _text(named, source).replace("::", ".")
    if receiver := node.child_by_field_name("receiver"):
        of = RECEIVER.search(_text(receiver, source))
        name = f"{of[1]}.{name}" if of else name
    if within:
        name = f"{within[-1].symbol}.{name}"
        kind = "method" if kind == "function" and within[-1].kind == "class" else kind
    span = Span(node.start_point[0] + 1, node.end_point[0] + 1)
    lead = before.decode("utf-8", "replace")[:LONGEST_LEAD]
    return Definition(name, kind, span, lead, len(within))


def _kind(node: Any) -> str | None:
    """What a node defines; None where it defines nothing of these."""
    if node.type == "variable_declarator":
        value = node.child_by_field_name("value")
        if value is None or value.type not in VALUES:
            return None
        return "class" if value.type == "class" else "function"
    if node.type in NAMED_IN_USE and node.child_by_field_name("body") is None:
        return None
    return KINDS.get(node.type)


def _named(node: Any) -> Any | None:
    """The node of its name."""
    named = node.child_by_field_name("name") or node.child_by_field_name("declarator")
    if named is None:  # what a type can do is named for it
        named = node.child_by_field_name("type")
        inner = named and named.child_by_field_name("type")
        return inner or named
    while named is not None and named.type.endswith("declarator"):
        inner = named.child_by_field_name("declarator")
        named = inner or (named.named_children[-1] if named.named_children else None)
    return named


def _text(node: Any, source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")
