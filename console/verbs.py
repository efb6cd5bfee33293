"""A verb is something that a person may do to rows: previewed, given a reason, recorded."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from django import forms
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import JSONField, Model, QuerySet
from django.utils.translation import gettext, ngettext

from accounts.callers import Caller
from accounts.rights import OPERATE
from api.body import dumps
from console.conditions import ALWAYS, Values, When
from console.exceptions import (
    BadValues,
    ChangedSince,
    NoTimeLeft,
    ReasonMissing,
    VerbNotAllowed,
)
from events import audit
from events.audit import Entry, Snapshot
from problems import Problem, database

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

M = TypeVar("M", bound=Model)

Key = UUID | str

BATCH = 1_000
"""The most rows that one transaction changes, of those that may be changed together."""

MANY = 1_000
"""The most rows that a preview changes and changes back beside those on which a verb is used."""

MOST = 10_000
"""The most rows that one request changes."""

PATIENCE = 30.0
"""Seconds after which no further row is begun: the browser waits, and a thread with it."""

LONGEST_REASON = 1_000


@dataclass(frozen=True, slots=True)
class By:
    """The actor, as the journal names them, their reason, and the user that they are, if any."""

    actor: str
    reason: str
    user_id: UUID | None = None


@dataclass(slots=True)
class VerbResult:
    """The keys of the rows that were changed, and of those that were refused, with the problem.

    `made`: new rows, and what the audit keeps of them. `notes`: sentences that name what happened.
    """

    done: list[Key] = field(default_factory=list)
    refused: list[tuple[Key, Problem]] = field(default_factory=list)
    made: list[tuple[Model, Snapshot]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: VerbResult) -> None:
        self.done += other.done
        self.refused += other.refused
        self.made += other.made
        self.notes += other.notes


@dataclass(frozen=True, slots=True)
class Preview(Generic[M]):
    """What a verb will do to some rows, and the sentences for it.

    `affects` picks these rows, of the verb's own model or of another. `says` is the sentence about
    them, `refuses` the one about the others, which the verb will refuse; each is an `ngettext_lazy`
    that chooses by "count", left out when that is zero. `always`: `says` is not left out.
    """

    affects: Callable[[QuerySet[M], Values], QuerySet[Model]]
    says: StrPromise | None = None
    refuses: StrPromise | None = None
    always: bool = False


def some_of(rows: QuerySet[Model]) -> int:
    """How many rows there are, counted as far as `Verb.beside` needs."""
    return rows.order_by()[: MANY + 1].count()


def nothing_beside(rows: QuerySet[M]) -> int:
    return 0


def lock_rows(rows: QuerySet[M], values: Values) -> None:
    """Lock the rows in the order of their keys until the transaction ends."""
    list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk"))


@dataclass(frozen=True)
class Verb(Generic[M]):
    """What people may do to rows of one model.

    `previews` say beforehand what it will do; values that were not given yet are missing there, and
    a function makes the few sentences that name something. `apply` does it to one row, or to many
    of those that `at_once` picks, inside a transaction; it locks what it changes. `snapshot` is
    what the audit keeps, as JSON. `offered_when`: a page offers it on such rows; on any other it is
    refused or changes nothing. `fields` are asked beside the reason. `columns` are all that
    `snapshot` reads, where reading whole rows would take long. `lock` locks the rows before the
    audit reads them, and before that whatever `apply` locks before them. `help`: a line that tells
    it from those like it. `danger`: it destroys, or takes away what somebody works on. A verb that
    only adds something `asks_reason` in vain: none has to be given. One that stands `alone` is used
    on no row, and makes one. `beside` counts the rows that it changes beside those (`some_of`): of
    more than `MANY` a preview does not try it. `moving`: what in a `snapshot` changes by itself all
    the time. The first of a room's verbs that is offered is the one that fits best.
    """

    name: str
    label: StrPromise
    previews: Sequence[Preview[M] | Callable[[QuerySet[M], Values], list[str]]]
    apply: Callable[[QuerySet[M], By, Values], VerbResult]
    snapshot: Callable[[M], Snapshot]
    offered_when: When = ALWAYS
    permission: str = OPERATE
    fields: Mapping[str, forms.Field] = field(default_factory=dict)
    at_once: Callable[[QuerySet[M]], QuerySet[M]] | None = None
    columns: Sequence[str] = ()
    icon: str = "bolt"
    help: StrPromise | str = ""
    danger: bool = False
    asks_reason: bool = True
    alone: bool = False
    lock: Callable[[QuerySet[M], Values], None] = lock_rows
    beside: Callable[[QuerySet[M]], int] = nothing_beside
    moving: Collection[str] = ()

    def sentences(self, rows: QuerySet[M], values: Values) -> list[str]:
        """What it will do to the rows, as far as their columns and these values tell."""
        sentences: list[str] = []
        for part in self.previews:
            if not isinstance(part, Preview):
                sentences += part(rows, values)
                continue
            affected = part.affects(rows, values).count()
            if part.says and (affected or part.always):
                sentences.append(self.said(part.says, values, affected))
            if part.refuses and (others := rows.count() - affected):
                sentences.append(self.said(part.refuses, values, others))
        return sentences or [gettext("Nothing changes.")]

    def said(self, sentence: StrPromise, values: Values, count: int) -> str:
        """A sentence with its number, and with those of the values that it names."""
        named = {name: shown(value) for name, value in values.items()}
        return str(sentence % Named(named | {"count": count}))

    def cleaned(self, values: Values) -> Values:
        """The values as the fields understand them, or BadValues, which names each by its label."""
        form = FieldsForm(values, fields=self.fields)
        if not form.is_valid():
            raise BadValues(_errors(form))
        return form.cleaned_data

    def partly_cleaned(self, values: Values) -> tuple[Values, str]:
        """Those of the values that are right, and what is wrong with others that are not empty."""
        form = FieldsForm(values, fields=self.fields)
        form.full_clean()
        for name in list(form.errors):
            if values.get(name) in (None, ""):  # also of what cannot be hashed
                del form.errors[name]
        return form.cleaned_data, _errors(form)

    def target(self, rows: QuerySet[M]) -> str:
        """What it is used on: a row by its title, several by their number."""
        count = rows.count()
        first = rows.first() if count == 1 else None
        if first is not None:
            return title_of(first)
        return ngettext("%(count)d object", "%(count)d objects", count) % {"count": count}


class Named(dict[str, object]):
    """The values of a sentence; one that is not chosen yet stands as an ellipsis."""

    def __missing__(self, name: str) -> str:
        return "…"


def shown(value: object) -> str:
    """A value as a sentence names it."""
    return title_of(value) if isinstance(value, Model) else str(value)


TITLES = ("title", "name", "path", "username")
"""Columns with what people call a row."""


def title_of(row: Model) -> str:
    """What people call a row."""
    for name in (*TITLES, "public_id"):
        if isinstance(title := getattr(row, name, None), str) and title:
            return title
    return str(row.pk)


class FieldsForm(forms.Form):
    """The fields of a verb."""

    def __init__(self, *args: object, fields: Mapping[str, forms.Field], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # as for any form
        for name, asked in fields.items():
            self.fields[name] = deepcopy(asked)


def _errors(form: forms.Form) -> str:
    return " ".join(
        f"{form.fields[name].label or name}: {' '.join(map(str, errors))}"
        for name, errors in form.errors.items()
    )


def one_by_one(
    act: Callable[[M, By, Values], object],
) -> Callable[[QuerySet[M], By, Values], VerbResult]:
    """The `apply` of a verb that changes one row at a time; a refusal does not stop the others."""

    def apply(rows: QuerySet[M], by: By, values: Values) -> VerbResult:
        handled = VerbResult()
        for row in rows:
            try:
                with transaction.atomic():
                    act(row, by, values)
            except Problem as problem:
                handled.refused.append((row.pk, problem))
            else:
                handled.done.append(row.pk)
        return handled

    return apply


def making(
    act: Callable[[M, By, Values], Model], snapshot: Callable[[Model], Snapshot]
) -> Callable[[QuerySet[M], By, Values], VerbResult]:
    """The `apply` of a verb that makes a new row for each; the audit keeps `snapshot` of it."""

    def apply(rows: QuerySet[M], by: By, values: Values) -> VerbResult:
        made: list[tuple[Model, Snapshot]] = []

        def make(row: M, by: By, values: Values) -> None:
            new = act(row, by, values)
            made.append((new, snapshot(new)))

        handled = one_by_one(make)(rows, by, values)
        handled.made = made
        return handled

    return apply


def by_key(
    transition: Callable[..., object], *args: object
) -> Callable[[QuerySet[M], By, Values], VerbResult]:
    """The `apply` of a verb that calls a transition with the key of one row at a time."""
    return one_by_one(lambda row, by, _: transition(row.pk, *args, by=by.actor, reason=by.reason))


def carry_out(
    verb: Verb[M],
    rows: QuerySet[M],
    caller: Caller,
    reason: str,
    values: Values,
    seen: str = "",
) -> VerbResult:
    """Use a verb on each of the rows; some may refuse.

    `values` are cleaned already. Each row gets an entry in the operators' audit, written in the
    transaction that changes it. Rows that may change together do so by the thousand, the others
    each in a transaction of its own: so locks are taken in the order that the engine keeps. If the
    process dies midway, the audit shows what was done. What has not been begun in time is refused,
    and so is what is not as it was `seen` in a preview.
    """
    reason = reason.strip()[:LONGEST_REASON]
    if not caller.may(verb.permission):
        raise VerbNotAllowed(f"{caller.name} may not {verb.name}: {verb.permission} is missing.")
    if not reason and verb.asks_reason:
        raise ReasonMissing
    return use(verb, rows, caller, reason, values, seen)


def use(
    verb: Verb[M],
    rows: QuerySet[M],
    caller: Caller,
    reason: str,
    values: Values,
    seen: str = "",
) -> VerbResult:
    """The same, for a caller of whom somebody else has found that they may, on these rows."""
    keys: list[Key] = list(rows.order_by("pk").values_list("pk", flat=True))
    handled = VerbResult()
    every = rows.model._default_manager.all()
    end = time.monotonic() + PATIENCE
    for batch in batches(verb, every, keys):
        if time.monotonic() > end:
            handled.refused += [(key, NoTimeLeft()) for key in batch]
            continue
        handled.add(_carry_out_one(verb, every, batch, caller, reason, values, seen))
    return handled


def batches(verb: Verb[M], every: QuerySet[M], keys: list[Key]) -> Iterator[Sequence[Key]]:
    """The rows that one transaction changes, one after the other; of a verb alone, none once."""
    if verb.alone:
        yield []
    for start in range(0, len(keys), BATCH):
        some = keys[start : start + BATCH]
        together: set[Key] = set()
        if verb.at_once and len(some) > 1:
            chosen = verb.at_once(every.filter(pk__in=some))
            together = set(chosen.values_list("pk", flat=True))
            if together:
                yield list(together)
        for key in some:
            if key not in together:
                yield [key]


def _carry_out_one(
    verb: Verb[M],
    every: QuerySet[M],
    keys: Sequence[Key],
    caller: Caller,
    reason: str,
    values: Values,
    seen: str,
) -> VerbResult:
    """Apply the verb to the rows and write the audit, in one transaction.

    The rows are locked first, so that nobody changes them between `before` and the verb.
    """
    rows = every.filter(pk__in=keys)
    try:
        with transaction.atomic():
            verb.lock(rows, values)
            before = snapshots(verb, rows)
            if seen and before and seen != _digest(verb, before):
                handled = VerbResult(refused=[(key, ChangedSince()) for key in keys])
            else:
                handled = verb.apply(rows.all(), By(caller.name, reason, caller.user_id), values)
            after = snapshots(verb, rows)
            judged: list[tuple[Key, Problem | None]] = [(key, None) for key in handled.done]
            judged += handled.refused
            entries = [
                Entry(str(key), before.get(key, {}), after.get(key, {}), problem)
                for key, problem in judged
                if not verb.alone
            ]
            audit.write(caller, verb.name, _kind(rows), reason, entries)
            for row, snapshot in handled.made:
                made = Entry(str(row.pk), {}, snapshot)
                audit.write(caller, verb.name, row._meta.model_name or "", reason, [made])
    except (DatabaseError, InterfaceError) as failure:
        problem = database.meaning_of(failure)
        if problem is None:
            raise
        return VerbResult(refused=[(key, problem) for key in keys])
    return handled


def snapshots(verb: Verb[M], rows: QuerySet[M]) -> dict[Key, Snapshot]:
    """What the audit keeps of the rows; columns that may be large are not read."""
    large = [column.name for column in rows.model._meta.fields if isinstance(column, JSONField)]
    lean = rows.only(*verb.columns) if verb.columns else rows.defer(*large)
    return {row.pk: verb.snapshot(row) for row in lean}


def as_seen(verb: Verb[M], rows: QuerySet[M]) -> str:
    """How the row is now that a preview is about; "" where it is about several, or none."""
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[:2])
    found = snapshots(verb, rows.model._default_manager.filter(pk__in=keys))
    return _digest(verb, found) if len(found) == 1 else ""


def _digest(verb: Verb[M], found: Mapping[Key, Snapshot]) -> str:
    kept = [
        {name: value for name, value in snapshot.items() if name not in verb.moving}
        for snapshot in found.values()
    ]
    return hashlib.sha256(dumps(kept)).hexdigest()


def _kind(rows: QuerySet[M]) -> str:
    return rows.model._meta.model_name or ""
