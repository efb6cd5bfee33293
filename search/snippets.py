"""The lines of a piece that show best why it was found, with the words that match marked."""

import re
from collections.abc import Collection, Sequence
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


def snippet(content: str, first_line: int, stems: Collection[str]) -> Snippet:
    """The lines with the most different words of the query; of equal ones the first."""
    lines = content.split("\n")
    found = [marks_in(line, stems) for line in lines]
    best, score = 0, -1.0
    for start in range(max(1, len(lines) - MOST_LINES + 1)):
        inside = found[start : start + MOST_LINES]
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


def marks_in(text: str, stems: Collection[str]) -> list[tuple[int, int, str]]:
    """Where words of the text begin and end that have one of these stems, and which."""
    found = []
    for match in WORD.finditer(text):
        start = match.start()
        for part in HUMP.split(match[0]):
            word = part.lower()
            stem = next((one for one in stems if matches(word, one)), None)
            if stem is not None:
                found.append((start, start + len(part), stem))
            start += len(part)
    return found


def matches(word: str, stem: str) -> bool:
    """Whether the word is of this stem, as far as its letters tell."""
    if word == stem:
        return True
    if len(stem) < LEAST:
        return False
    return word.startswith(stem) or (stem.endswith("i") and word == f"{stem[:-1]}y")
