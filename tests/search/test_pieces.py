"""Files in pieces: sections, functions, and windows of lines."""

import itertools
import time

import pytest

from search import code, documents
from search.chunks import HARD, LONGEST_ABOUT, LONGEST_HEADING, LONGEST_LEAD, MOST, of_text
from search.snippets import snippet

DOCUMENT = """# Guide

Intro.

## Install

**Debian.** Use the package.

```bash
# no heading
```

### From source

Build it.

## Use
"""


def test_a_document_is_cut_at_its_headings():
    found = documents.pieces(DOCUMENT)

    assert [(piece.trail, piece.first_line, piece.last_line) for piece in found] == [
        (("Guide",), 1, 4),
        (("Guide", "Install"), 5, 12),
        (("Guide", "Install", "From source"), 13, 16),
        (("Guide", "Use"), 17, 18),
    ]
    assert found[1].lead.startswith("Debian.")


def test_a_heading_without_text_goes_with_what_is_below_it():
    [only] = documents.pieces("# 12. A decision\n\n## Context\n\nOnce upon a time.\n")

    assert (only.trail, only.first_line) == (("12. A decision", "Context"), 1)


def test_underlined_headings_count():
    found = documents.pieces("Title\n=====\n\nText.\n\nPart\n----\n\nMore.\n")

    assert [piece.trail for piece in found] == [("Title",), ("Title", "Part")]


def test_a_long_section_is_cut_at_blank_lines_and_repeats_a_little():
    text = "# Long\n\n" + "\n\n".join(f"{n} {'word ' * 40}" for n in range(60))

    found = documents.pieces(text)

    assert len(found) > 4
    assert all(len(piece.content) <= HARD for piece in found)
    assert all(b.first_line <= a.last_line for a, b in itertools.pairwise(found))
    assert {line for piece in found for line in range(piece.first_line, piece.last_line + 1)} == {
        *range(1, text.count("\n") + 2)
    }


@pytest.mark.parametrize("text", ["x" * 10_000, "\n" * 9_000, "y\n" * 5_000, "", "\n"])
def test_every_text_comes_to_an_end(text):
    pieces = of_text(text)

    assert all(piece.content.strip() for piece in pieces)
    assert len(pieces) < 20


PYTHON = '''"""The module."""

import os

LIMIT = 5


@cache
def claim(agent):
    """Give a task."""
    return os.name


class Queue:
    """Holds tasks."""

    size = 1

    def pop(self):
        """Take one."""

        def inner():
            return 1

        return inner()

    async def push(self): ...


if True:
    claim(1)
'''


def test_python_is_cut_into_functions_and_classes():
    found = code.pieces(PYTHON, "python")

    assert [(piece.symbol, piece.symbol_kind, piece.first_line) for piece in found] == [
        ("", "module", 1),
        ("", "module", 28),
        ("claim", "function", 8),
        ("Queue", "class", 14),
        ("Queue.pop", "method", 19),
        ("Queue.push", "method", 27),
    ]
    assert found[2].lead == "Give a task."
    assert found[2].about == "The module."
    assert "def pop" not in found[3].content
    assert "claim(1)" in found[1].content
    lines = PYTHON.split("\n")
    for piece in found:
        assert piece.content == "\n".join(lines[piece.first_line - 1 : piece.last_line])


@pytest.mark.parametrize(
    "text", ["def broken(:", "x = '\\d'\n", "(" * 3_000, "\ufffe", "if 1:\n" * 200, "a\x0cb = 1"]
)
def test_python_that_cannot_be_read_is_text(text):
    assert all(piece.content for piece in code.pieces(text, "python"))


def test_a_long_function_is_several_pieces_of_one_name():
    body = "\n".join(f"    value_{n} = {'x' * 60!r}" for n in range(120))
    found = code.pieces(f"def long():\n{body}\n", "python")

    assert len(found) > 2
    assert {piece.symbol for piece in found} == {"long"}


def test_other_languages_are_cut_by_lines_where_no_grammar_is_installed():
    text = "\n".join(f"function f{n}() {{ return {n}; }}" for n in range(300))

    found = code.pieces(text, "javascript")

    assert len(found) > 1
    assert "".join(piece.content for piece in found).count("f299") >= 1


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[](" * 40_000, "[\n" * 100_000, "# a" + " " * 20_000 + "b", "**a" * 50_000],
    ids=["brackets", "links", "lines", "blanks", "bold"],
)
def test_no_text_takes_long(text):
    started = time.process_time()

    for pieces in (documents.pieces(text), documents.under("a.txt", text)):
        assert 0 < len(pieces) <= MOST

    assert time.process_time() - started < 10


def test_what_is_repeated_in_every_piece_is_short():
    says = "word " * 100_000
    methods = "".join(f"    def f{n}(self): ...\n" for n in range(1_000))

    found = code.pieces(f'"""{says}"""\nclass A:\n    """{says}"""\n{methods}', "python")
    sections = documents.pieces("".join(f"{'#' * n} {says}\n\nText.\n\n" for n in range(1, 7)))

    assert len(found) == MOST
    assert max(len(piece.lead) for piece in found) == LONGEST_LEAD
    assert max(len(piece.about) for piece in found) <= 2 * LONGEST_ABOUT + 1
    assert max(len(heading) for piece in sections for heading in piece.trail) == LONGEST_HEADING


def test_many_long_snippets_are_made_in_little_time():
    stems = {f"word{n}" for n in range(60)}
    content = " ".join(f"text{n % 10}" for n in range(1_300))
    started = time.process_time()

    for _ in range(50):
        snippet(content, 1, stems)
        snippet("a\n" * 4_000, 1, stems)

    assert time.process_time() - started < 5
