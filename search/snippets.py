"""The lines of a piece that show best why it was found, with the words that match marked."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from search.words import HUMP

MOST_LINES = 8
MOST_CHARACTERS = 700
LEAST = 3  # characters of a stem that stands for longer words, too
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Snippet:
    """Some lines. `marks`: where words match: the first character, and the one behind the last."""

    text: str
    first_line: int
    last_line: int
    marks: Sequence[tuple[int, int]]


def snippet(content: str, first_line: int, stems: Set[str]) -> Snippet:
    """The lines with the most different words of the query; of equal ones the first."""
    lines = content.split("\n")
    found = [marks_in(line, stems) for line in lines]
    best, score = 0, -1.0
    for start in range(max(1, len(lines) - MOST_LINES + 1)):
        inside = found[start : start + MOST_LINES]
        if start and not inside[-1]:
            continue  # it has no more than the one before
        different = {stem for marks in inside for _, _, stem in marks}
        total = len(different) + min(9, sum(map(len, inside))) / 100
        if total > score:
            best, score = start, total
    chosen = lines[best : best + MOST_LINES]
    while len(chosen) > 1 and sum(map(len, chosen)) + len(chosen) > MOST_CHARACTERS:
        if found[best] or not found[best + len(chosen) - 1]:
            chosen.pop()
        else:
            chosen.pop(0)
            best += 1
    text = "\n".join(chosen)[:MOST_CHARACTERS]
    marks = [(start, end) for start, end, _ in marks_in(text, stems)]
    return Snippet(text, first_line + best, first_line + best + len(chosen) - 1, marks)


def marks_in(text: str, stems: Set[str]) -> list[tuple[int, int, str]]:
    """Where words of the text begin and end that have one of these stems, and which."""
    found = []
    longest = max(map(len, stems), default=0)
    for match in WORD.finditer(text):
        start = match.start()
        for part in HUMP.split(match[0]):
            if stem := _stem_of(part.lower(), stems, longest):
                found.append((start, start + len(part), stem))
            start += len(part)
    return found


def _stem_of(word: str, stems: Set[str], longest: int) -> str:
    """The longest of the stems that is the word's, as far as its letters tell; '' if none is.

    Its beginnings are looked up among the stems, since a piece has more words than a query.
    """
    beginnings = (word[:size] for size in range(min(len(word), longest), LEAST - 1, -1))
    candidates = (word, f"{word[:-1]}i" if word.endswith("y") else "", *beginnings)
    return next((one for one in candidates if one in stems), "")
