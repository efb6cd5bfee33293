"""The order of what was found: words and vectors together (contract 003, 8.2)."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A piece that words or vectors have found. `vector`: None where there are none."""

    key: int
    path: str
    number: int
    text: float
    vector: float | None = None
    prior: float = 1.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """A piece with its score, and the two of which that is made, from 0 to 1."""

    key: int
    score: float
    text: float
    vector: float | None


def rank(found: Sequence[Candidate], alpha: float) -> list[Ranked]:
    """The best first: `alpha` times the words' share, and the rest the vectors'.

    Each is brought to 0 to 1 within what was found; where all are equal they are 1. Without vectors
    the words decide alone. Equal scores are in the order of path and number.
    """
    texts = normalised([one.text for one in found])
    vectors = normalised([one.vector for one in found if one.vector is not None])
    with_vectors = len(vectors) == len(found)
    rows = []
    for place, one in enumerate(found):
        vector = vectors[place] if with_vectors else None
        score = texts[place]
        if vector is not None:
            score = alpha * score + (1 - alpha) * vector
        rows.append((-score * one.prior, one.path, one.number, place, vector))
    return [
        Ranked(found[place].key, -negative, texts[place], vector)
        for negative, _, _, place, vector in sorted(rows, key=lambda row: row[:4])
    ]


def normalised(values: Sequence[float]) -> list[float]:
    """The values between the least, 0, and the most, 1; all 1 where they are equal."""
    if not values:
        return []
    least, most = min(values), max(values)
    if most == least:
        return [1.0] * len(values)
    return [(value - least) / (most - least) for value in values]
