"""Documents in pieces: each section of Markdown or reStructuredText by its headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from search.chunks import LONGEST_HEADING, LONGEST_LEAD, MOST, Piece, Span, joined, windows

# None of these tries the same characters again and again: a text may be made to that end.
HEADING = re.compile(r"(#{1,6})\s+(.*)")
FENCE = re.compile(r"\s{0,3}(```|~~~)")
UNDERLINE = re.compile(r"(=+|-+|~+|\^+|\"+)\s*$")
BOLD = re.compile(r"\*\*(.+?)\*\*")
LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")
MARKS = re.compile(r"[*_`]+")
LEAD = 300  # characters of a section that tell what it is about
LONGEST_BOLD = 80


@dataclass(slots=True)
class Section:
    """The lines below a heading up to the next one."""

    trail: tuple[str, ...]
    first: int
    last: int = field(default=0)


def pieces(text: str) -> list[Piece]:
    """The sections of a document; long ones in several pieces, none that is empty."""
    lines = text.split("\n")
    found = (piece for section in _sections(lines) for piece in _pieces(lines, section))
    return list(islice(found, MOST))


def under(title: str, text: str) -> list[Piece]:
    """A text without headings of its own, below this one."""
    lines = text.split("\n")
    return list(islice(_pieces(lines, Section((title,), 1, len(lines))), MOST))


def _pieces(lines: list[str], section: Section) -> Iterator[Piece]:
    for span in windows(lines, Span(section.first, section.last)):
        content = joined(lines, span)
        if content.strip():
            yield Piece(content, span.first, span.last, section.trail, lead=_lead(content))


def _lead(content: str) -> str:
    """What stands out in a section, which often names its parts, and how it begins."""
    bold = (found for found in BOLD.findall(content) if len(found) <= LONGEST_BOLD)
    return plain(" ".join(bold))[:LONGEST_LEAD] + "\n" + plain(content)[:LEAD]


def _sections(lines: list[str]) -> list[Section]:
    found = [Section((), 1)]
    above: list[tuple[int, str]] = []
    levels: dict[str, int] = {}
    fence = ""
    for number, line in enumerate(lines, 1):
        if mark := FENCE.match(line):
            fence = "" if fence == mark[1] else fence or mark[1]
            continue
        heading = None if fence else _heading(lines, number, levels)
        if heading is not None:
            level, title = heading
            above = [(depth, name) for depth, name in above if depth < level]
            above.append((level, title))
            found[-1].last = number - 1
            first = number
            if _is_bare(lines, found[-1]):  # a heading without text goes with what is below it
                first = found.pop().first
            found.append(Section(tuple(name for _, name in above), first))
    found[-1].last = len(lines)
    return [section for section in found if section.last >= section.first]


def _is_bare(lines: list[str], section: Section) -> bool:
    said = [line for line in lines[section.first - 1 : section.last] if line.strip()]
    return len(said) <= bool(section.trail)


def _heading(lines: list[str], number: int, levels: dict[str, int]) -> tuple[int, str] | None:
    """Level and title of the heading in this line: Markdown's, or one that is underlined."""
    line = lines[number - 1]
    if found := HEADING.match(line):
        return len(found[1]), _title(found[2].rstrip().rstrip("#"))
    if number < len(lines) and line.strip() and not line.startswith((" ", "\t", "|", "-", ">")):
        under = UNDERLINE.match(lines[number])
        before = lines[number - 2].strip() if number > 1 else ""
        if under and len(under[1]) >= max(3, len(line.strip()) // 2) and not before:
            return levels.setdefault(under[1][0], len(levels) + 1), _title(line)
    return None


def _title(line: str) -> str:
    return plain(line[: 2 * LONGEST_HEADING])[:LONGEST_HEADING]


def plain(text: str) -> str:
    """The text without the marks of Markdown."""
    return MARKS.sub("", LINK.sub(r"\1", text)).strip()
