"""Code in pieces: functions and classes. Python by its own parser, others by tree-sitter's where
the grammar of the language is installed, else by lines.
"""

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeAlias

from search import grammars
from search.chunks import (
    LONGEST_ABOUT,
    LONGEST_LEAD,
    MOST,
    Piece,
    Span,
    joined,
    of_text,
    windows,
)

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
LONGEST_SYMBOL = 200


def pieces(text: str, language: str) -> list[Piece]:
    """The functions and classes of a file, and what stands outside of them."""
    if language == "python":
        try:
            return list(islice(_of_python(text), MOST))
        except UNREADABLE:
            return of_text(text)
    found = grammars.definitions(text, language)
    return list(islice(_of_definitions(text, found), MOST)) if found else of_text(text)


def _of_python(text: str) -> Iterator[Piece]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that are none
        tree = ast.parse(text)
    lines = text.split("\n")
    top = [node for node in tree.body if isinstance(node, DEFINITIONS)]
    outside = _without(Span(1, len(lines)), [_span(node) for node in top])
    said = _said(tree)
    yield from _cut(lines, outside, "", "module", said)
    for node in top:
        for piece in _defined(lines, node, ""):
            yield replace(piece, about=f"{_first(said)} {piece.about}".strip())


def _said(node: Definition | ast.Module) -> str:
    return (ast.get_docstring(node) or "")[:LONGEST_LEAD]


def _first(said: str) -> str:
    """The first paragraph of a docstring."""
    return said.partition("\n\n")[0][:LONGEST_ABOUT]


def _defined(lines: Sequence[str], node: Definition, within: str) -> Iterator[Piece]:
    symbol = f"{within}.{node.name}" if within else node.name
    lead = _said(node)
    if isinstance(node, ast.ClassDef):
        inner = [one for one in node.body if isinstance(one, DEFINITIONS)]
        rest = _without(_span(node), [_span(one) for one in inner])
        yield from _cut(lines, rest, symbol, "class", lead)
        for one in inner:
            for piece in _defined(lines, one, symbol):
                yield replace(piece, about=f"{_first(lead)} {piece.about}".strip())
        return
    yield from _cut(lines, [_span(node)], symbol, "method" if within else "function", lead)


def _span(node: Definition) -> Span:
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    return Span(first, node.end_lineno or node.lineno)


def _without(span: Span, others: Sequence[Span]) -> list[Span]:
    """What is left of the lines of `span` without those of the others, which are in order."""
    left, first = [], span.first
    for other in others:
        if other.first > first:
            left.append(Span(first, other.first - 1))
        first = max(first, other.last + 1)
    return [*left, Span(first, span.last)] if first <= span.last else left


def _cut(
    lines: Sequence[str], spans: Sequence[Span], symbol: str, kind: str, lead: str
) -> Iterator[Piece]:
    """Pieces of these lines, none that is empty."""
    name = symbol[:LONGEST_SYMBOL]
    for span in spans:
        for window in windows(lines, span):
            content = joined(lines, window)
            if content.strip():
                yield Piece(content, window.first, window.last, (), name, kind, lead)


def _of_definitions(text: str, found: Sequence[grammars.Definition]) -> Iterator[Piece]:
    lines = text.split("\n")
    outermost = [one.span for one in found if not one.depth]
    last = outermost[-1].last if len(found) == MOST else len(lines)  # the rest is left out
    yield from _cut(lines, _without(Span(1, last), outermost), "", "module", "")
    for one in found:
        inner = [
            other.span
            for other in found
            if other.depth > one.depth
            and one.span.first <= other.span.first
            and other.span.last <= one.span.last
        ]
        spans = _without(one.span, inner) if one.kind == "class" else [one.span]
        yield from _cut(lines, spans, one.symbol, one.kind, one.lead)
