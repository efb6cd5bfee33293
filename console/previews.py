"""What a verb will do, told by doing it in a transaction that is rolled back (ADR 33).

So a preview passes the same checks as the deed, row after row, and promises nothing that is then
refused. Of very many rows only the first are tried; the columns tell what becomes of the others.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext, ngettext

from console.conditions import Values
from console.verbs import MANY, By, Key, Preview, Verb, VerbResult, as_seen, batches
from events import journal
from problems import Problem, database

M = TypeVar("M", bound=Model)

MOST_TRIED = 100
LONGEST = 0.5
"""Seconds after which no further row is tried: what is locked meanwhile, others wait for."""
MOST_REASONS = 5
PATIENCE = "SET LOCAL lock_timeout = '200ms'"
"""Shorter than the time after which PostgreSQL looks for deadlocks: who previews always yields."""
NOBODY = By("preview", "preview")


@dataclass(frozen=True, slots=True)
class RefusalReason:
    """Why rows will refuse, and how many."""

    code: str
    message: str
    count: int


@dataclass(frozen=True, slots=True)
class Foretold:
    """On what a verb is used, what it will do in sentences, and how many rows will be changed.

    `seen` is how a single row is now: given with the deed, it is done only if that is still so.
    """

    target: str
    will: list[str]
    done: int
    refused: list[RefusalReason] = field(default_factory=list)
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of the rows that were tried, and whether those were all."""

    result: VerbResult
    complete: bool


def foretell(verb: Verb[M], rows: QuerySet[M], values: Values) -> Foretold:
    """What the verb would do to the rows now, with these values; nothing is changed.

    While a value that it needs is missing, only the columns of the rows tell.
    """
    seen = as_seen(verb, rows)  # before all else: what changes from here on is refused
    return replace(_foretell(verb, rows, values), seen=seen)


def _foretell(verb: Verb[M], rows: QuerySet[M], values: Values) -> Foretold:
    target = verb.target(rows)
    wanted = [name for name, asked in verb.fields.items() if asked.required]
    if any(name not in values for name in wanted):
        return _by_columns(verb, rows, values, target, [])
    total = rows.count()
    if (verb.at_once and total > MOST_TRIED) or verb.beside(rows) > MANY:
        return _by_columns(verb, rows, values, target, [])
    trial = _tried(verb, rows, values)
    if trial is None:
        busy = gettext("Somebody is changing this just now, so that it may be refused.")
        return _by_columns(verb, rows, values, target, [busy])
    result, every = trial.result, rows.model._default_manager.all()
    reasons = _reasons(result.refused)
    refused = {key for key, _ in result.refused}
    known, unknown = _explained(verb, every, refused, values)
    others = _reasons([one for one in result.refused if one[0] in unknown])
    if not trial.complete:
        return _by_columns(verb, rows, values, target, _refusals(others, total))
    done = every.filter(pk__in=result.done)
    will = verb.sentences(done, values) if result.done or not reasons else []
    sentences = [*will, *result.notes, *known, *_refusals(others, total)]
    return Foretold(target, sentences, len(result.done), reasons)


def _tried(verb: Verb[M], rows: QuerySet[M], values: Values) -> Trial | None:
    """Use the verb on the first rows and roll it back; None where others hold what it needs."""
    keys: list[Key] = list(rows.order_by("pk").values_list("pk", flat=True)[: MOST_TRIED + 1])
    every = rows.model._default_manager.all()
    result = VerbResult()
    tried, end = 0, time.monotonic() + LONGEST
    try:
        with transaction.atomic():
            _rehearse()
            for batch in batches(verb, every, keys[:MOST_TRIED]):
                result.add(_one_try(verb, every.filter(pk__in=batch), values))
                tried += len(batch)
                if time.monotonic() > end:
                    break
            transaction.set_rollback(True)
    except (DatabaseError, InterfaceError) as failure:
        if database.meaning_of(failure) is None:
            raise
        return None
    return Trial(result, complete=tried == len(keys))


def _rehearse() -> None:
    """Wait for nobody for long, and write nothing to the journal, whose ids would be lost."""
    with connection.cursor() as cursor:
        cursor.execute(PATIENCE)
    journal.silence()


def _one_try(verb: Verb[M], rows: QuerySet[M], values: Values) -> VerbResult:
    with transaction.atomic():
        verb.lock(rows, values)
        return verb.apply(rows.all(), NOBODY, values)


def _by_columns(
    verb: Verb[M], rows: QuerySet[M], values: Values, target: str, more: Sequence[str]
) -> Foretold:
    total = rows.count()
    refused = sum(
        total - part.affects(rows, values).count()
        for part in verb.previews
        if isinstance(part, Preview) and part.refuses
    )
    return Foretold(target, [*verb.sentences(rows, values), *more], total - min(refused, total))


def _explained(
    verb: Verb[M], every: QuerySet[M], refused: set[Key], values: Values
) -> tuple[list[str], set[Key]]:
    """What the verb itself says of rows that refuse, and the rows of which it says nothing."""
    sentences: list[str] = []
    for part in verb.previews:
        if not isinstance(part, Preview) or not part.refuses or not refused:
            continue
        taken = part.affects(every.filter(pk__in=refused), values).values_list("pk", flat=True)
        others = refused - set(taken)
        if others:
            sentences.append(verb.said(part.refuses, values, len(others)))
        refused = refused - others
    return sentences, refused


def _reasons(refused: Sequence[tuple[Key, Problem]]) -> list[RefusalReason]:
    counts = Counter(problem.code for _, problem in refused)
    first = {problem.code: problem.message for _, problem in reversed(refused)}
    return [RefusalReason(code, first[code], count) for code, count in counts.most_common()]


def _refusals(reasons: Sequence[RefusalReason], total: int) -> list[str]:
    """A sentence for each of the commonest reasons."""
    if total <= 1:
        return [
            gettext("It will refuse: %(reason)s") % {"reason": reason.message} for reason in reasons
        ]
    return [
        ngettext(
            "%(count)d will refuse: %(reason)s", "%(count)d will refuse: %(reason)s", reason.count
        )
        % {"count": reason.count, "reason": reason.message}
        for reason in reasons[:MOST_REASONS]
    ]
