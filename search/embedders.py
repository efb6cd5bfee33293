"""Embedders make vectors of texts. The usual one hashes words and parts of words: it needs no
download and no model, and gives the same vectors in every process.
"""

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from django.conf import settings

from search import remote, words

Vector = Sequence[float]

DIMENSIONS = 256
GRAM = 4  # characters
KEPT = 100_000  # words whose features are remembered
# Of English, and of code: words that say nothing about what is asked for.
ENGLISH = """
a about all also an and any are as at be been but by can could did do does each every few for from
get gets give go had has have how i if in into is it its itself just last let like make many may me
more most must my no nobody nor not of off on one only or other others our out own same say says
self set should so some such take than that the their them then there these they this those to too
under up us use used very was way we were what when where which while who whom whose why will with
within without would you your none true false return def class str int import"""
COMMON = frozenset(ENGLISH.split())


class Embedder(Protocol):
    """Makes vectors of `dimensions` numbers and of length 1. Two of the same `name` are alike."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each text. Raises EmbedderFailed."""
        ...


class HashingEmbedder:
    """Words count by themselves and, less, by their parts, so that kindred words are near."""

    name = "hashing-1"
    dimensions = DIMENSIONS

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        return [_embedded(text) for text in texts]


def _embedded(text: str) -> Vector:
    vector = array("d", bytes(8 * DIMENSIONS))
    for word, count in Counter(words.parts(text)).items():
        if word in COMMON:
            continue
        weight = 1.0 + math.log(count)
        for place, value in _features(word):
            vector[place] += weight * value
    length = math.sqrt(sum(value * value for value in vector))
    return [round(value / length, 6) for value in vector] if length else list(vector)


@lru_cache(maxsize=KEPT)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    """Where a word counts in a vector, and how much: itself, and its parts of four characters."""
    bounded = f"<{word}>"
    grams = [bounded[i : i + GRAM] for i in range(max(1, len(bounded) - GRAM + 1))]
    share = 0.8 / math.sqrt(len(grams))
    features = [(word, 1.0), *((gram, share) for gram in grams)]
    return tuple((_place(text), _sign(text) * weight) for text, weight in features)


@lru_cache(maxsize=KEPT)
def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _place(text: str) -> int:
    return (_digest(text) >> 1) % DIMENSIONS


def _sign(text: str) -> float:
    return 1.0 if _digest(text) & 1 else -1.0


def current() -> Embedder | None:
    """The embedder that the settings name; None where there is to be none."""
    if settings.SEARCH_EMBEDDER == "none":
        return None
    if settings.SEARCH_EMBEDDER == "http":
        return remote.RemoteEmbedder.of_settings()
    return HashingEmbedder()
