"""The pieces in which files are found: sections of documents, functions and classes of code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

SOFT, HARD = 2_000, 3_000  # characters: a piece ends at the first break after SOFT, or at HARD
OVERLAP = 300  # characters, about 64 tokens, that a piece repeats of the one before
MOST = 400  # pieces of a file
# Characters. Every method repeats what its class says of itself, every section the headings above.
LONGEST = 8_000  # of a piece, which may be a single line
LONGEST_LEAD = 2_000
LONGEST_ABOUT = 500
LONGEST_HEADING = 200


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of a file. `trail`: the headings above them, the nearest last; `symbol`: what code
    defines there, with what it is in; `lead`: the words that say best what it is about; `about`:
    those of what it is part of.
    """

    content: str
    first_line: int
    last_line: int
    trail: tuple[str, ...] = ()
    symbol: str = ""
    symbol_kind: str = ""
    lead: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Lines of a file, from 1, both included."""

    first: int
    last: int


def windows(lines: Sequence[str], span: Span) -> Iterator[Span]:
    """The span in parts that are short enough, each of which repeats the end of the one before.

    A part ends at a blank line where there is one, else at the end of a line.
    """
    first = span.first
    while first <= span.last:
        last = _end(lines, first, span.last)
        yield Span(first, last)
        if last >= span.last:
            return
        first = max(first + 1, _back(lines, last + 1))


def _end(lines: Sequence[str], first: int, last: int) -> int:
    size, blank = 0, 0
    for number in range(first, last + 1):
        size += len(lines[number - 1]) + 1
        if size > HARD and number > first:
            return blank or number - 1
        if size > SOFT and not lines[number - 1].strip():
            return number
        if not lines[number - 1].strip() and size > SOFT // 2:
            blank = number
    return last


def _back(lines: Sequence[str], first: int) -> int:
    size = 0
    while first > 1:
        size += len(lines[first - 2]) + 1
        if size > OVERLAP:
            break
        first -= 1
    return first


def joined(lines: Sequence[str], span: Span) -> str:
    return "\n".join(lines[span.first - 1 : span.last])[:LONGEST]


def of_text(text: str) -> list[Piece]:
    """A text without headings or definitions, in parts of about the same length."""
    lines = text.split("\n")
    spans = windows(lines, Span(1, len(lines)))
    found = (Piece(joined(lines, span), span.first, span.last) for span in spans)
    return list(islice((piece for piece in found if piece.content.strip()), MOST))
