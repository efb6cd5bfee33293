"""How good search is: queries with what they should find, and what they do (contract 003, 8.3)."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError

from search import finding
from search.finding import Hit
from search.models import Kind, Source
from search.querysets import Scope

DEPTH = 8  # rows that are looked at
AT = (1, 3, 5, 8)
THRESHOLDS: Mapping[Kind, float] = {Kind.DOCS: 0.75, Kind.CODE: 0.70}

Find = Callable[[str, Kind], finding.Answer]


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and what answers it: any of `expected`."""

    id: str
    kind: Kind
    text: str
    expected: Sequence[Mapping[str, str]]
    held_out: bool
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a query has found: the first row that answers it, from 1; None where there is none."""

    query: Query
    rank: int | None
    top: Sequence[Mapping[str, object]]
    milliseconds: float
    error: str | None = None


def read(path: Path) -> list[Query]:
    """The queries of a file."""
    rows = json.loads(path.read_text())
    return [
        Query(
            row["id"],
            Kind(row["type"]),
            row["query"],
            row["expected"],
            bool(row.get("held_out")),
            row.get("language", "en"),
        )
        for row in rows
    ]


def usual(text: str, kind: Kind) -> finding.Answer:
    """Search as who may see everything does, in trees alone: tasks differ from day to day."""
    return finding.search(text, kind, Scope([Source.TREE], exact=True), DEPTH)


def ask(query: Query, find: Find = usual) -> Outcome:
    started = time.perf_counter()
    try:
        hits = find(query.text, query.kind).hits
        error = None
    except DatabaseError as problem:
        hits, error = [], str(problem).partition("\n")[0]
    took = (time.perf_counter() - started) * 1000
    ranks = (place for place, hit in enumerate(hits, 1) if answers(hit, query.expected))
    top = [
        {"path": hit.path, "symbol": hit.symbol or None, "score": round(hit.rank.score, 4)}
        for hit in hits
    ]
    return Outcome(query, next(ranks, None), top, took, error)


def answers(hit: Hit, expected: Sequence[Mapping[str, str]]) -> bool:
    """Whether the row is one of those: of that path, and below the heading or in what is named."""
    return any(
        hit.path == one["path"]
        and ("section" not in one or one["section"] in hit.trail)
        and (
            "symbol" not in one
            or hit.symbol == one["symbol"]
            or hit.symbol.startswith(f"{one['symbol']}.")
            or hit.symbol.endswith(f".{one['symbol']}")
        )
        for one in expected
    )


def metrics(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """The shares of queries that were answered by the first rows, and the mean of 1/rank."""
    count = len(outcomes)
    ranks = [outcome.rank for outcome in outcomes if outcome.rank]
    found: dict[str, float | None] = {
        f"hit@{k}": sum(rank <= k for rank in ranks) / count if count else None for k in AT
    }
    found["mrr"] = sum(1 / rank for rank in ranks) / count if count else None
    return found


def times(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    taken = sorted(outcome.milliseconds for outcome in outcomes)
    return {
        f"p{share}_ms": round(taken[math.ceil(share / 100 * len(taken)) - 1], 2) if taken else None
        for share in (50, 95)
    }


def passes(found: Mapping[str, float | None], kind: Kind) -> bool:
    """Whether enough queries were answered; none at all is not enough."""
    share = found["hit@3"]
    return share is not None and share >= THRESHOLDS[kind]


def described(outcome: Outcome) -> dict[str, Any]:
    """A query in a report."""
    query = outcome.query
    return {
        "id": query.id,
        "query": query.text,
        "language": query.language,
        "held_out": query.held_out,
        "expected": query.expected,
        "rank": outcome.rank,
        "hit3": outcome.rank is not None and outcome.rank <= 3,
        "top": outcome.top,
        "error": outcome.error,
    }
