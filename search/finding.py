"""One search, from what was asked to what is shown."""

import time
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from search import embedders, querysets, ranking, translation, vectors, words
from search.exceptions import EmbedderFailed
from search.models import Kind
from search.querysets import Scope
from search.signals import embedded, searched
from search.snippets import Snippet, snippet

USUAL, MOST = 8, 50
LONGEST = 500  # characters of a query
WITHOUT = "none"
AWAY = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Hit:
    """A piece that was found."""

    source: str
    root: str
    path: str
    language: str
    task_id: object
    trail: Sequence[str]
    symbol: str
    symbol_kind: str
    first_line: int
    last_line: int
    snippet: Snippet
    rank: ranking.Ranked


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, the best first; `embedder`: whose vectors had a part in it."""

    hits: Sequence[Hit]
    embedder: str


def search(text: str, kind: Kind, scope: Scope, k: int = USUAL) -> Answer:
    """Look for the pieces that fit a query best; none fits what has no word."""
    text = words.cleaned(text)
    text = " ".join([text, *translation.english(text)])
    spread = " ".join(list(words.parts(text))[: words.MOST])
    searched.send(Kind, kind=kind.value)
    if not spread:
        return Answer([], WITHOUT)
    asked = querysets.asked(spread, kind, scope)
    vector, embedder = _vector(text)
    found = querysets.candidates(asked, vector, scope)
    ranked = ranking.rank(found, settings.HYBRID_ALPHA)[:k]
    rows = querysets.shown([one.key for one in ranked], scope)
    stems = {word for word, among in asked.chunks.items() if among}
    hits = [_hit(rows[one.key], one, stems) for one in ranked if one.key in rows]
    return Answer(hits, embedder)


def present() -> tuple[str, int]:
    """Whose vectors have a part in searches, and of how many dimensions; `none`: nobody's."""
    embedder = embedders.current() if vectors.are_there() else None
    return (embedder.name, embedder.dimensions) if embedder else (WITHOUT, 0)


class Absence:
    """Until when an embedder that has failed is not asked again, so that only few searches wait."""

    def __init__(self) -> None:
        self.until = 0.0

    def __bool__(self) -> bool:
        return time.monotonic() < self.until

    def begin(self) -> None:
        self.until = time.monotonic() + AWAY


is_away = Absence()


def _vector(text: str) -> tuple[embedders.Vector | None, str]:
    embedder = embedders.current() if vectors.are_there() and not is_away else None
    if embedder is None:
        return None, WITHOUT
    try:
        [vector] = embedder.embed([text])
    except EmbedderFailed:
        is_away.begin()
        embedded.send(Kind, failed=True)
        return None, WITHOUT
    embedded.send(Kind, failed=False)
    # Nothing is near to what has no words.
    return (vector, embedder.name) if any(vector) else (None, WITHOUT)


def _hit(row: tuple[Any, ...], rank: ranking.Ranked, stems: Set[str]) -> Hit:
    source, root, path, language, task_id, trail, symbol, symbol_kind, first, last, content = row
    return Hit(
        source,
        root,
        path,
        language,
        task_id,
        [heading for heading in trail.split("\n") if heading],
        symbol,
        symbol_kind,
        first,
        last,
        snippet(content, first, stems),
        rank,
    )
