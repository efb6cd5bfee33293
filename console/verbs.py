"""A verb is something that a person may do to rows: previewed, given a reason, recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from django import forms
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import JSONField, Model, Q, QuerySet
from django.utils.translation import gettext

from accounts.callers import Caller
from accounts.rights import OPERATE
from console.exceptions import BadValues, ReasonMissing, VerbNotAllowed
from events import audit
from events.audit import Entry, Snapshot
from problems import Problem, database

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

M = TypeVar("M", bound=Model)

Key = UUID | str
Values = Mapping[str, object]

BATCH = 1_000
"""The most rows that one transaction changes, of those that may be changed together."""

LONGEST_REASON = 1_000


@dataclass(frozen=True, slots=True)
class By:
    """The actor, as the journal names them, and their reason."""

    actor: str
    reason: str


@dataclass(slots=True)
class VerbResult:
    """The keys of the rows that were changed, and of those that were refused, with the problem."""

    done: list[Key] = field(default_factory=list)
    refused: list[tuple[Key, Problem]] = field(default_factory=list)

    def add(self, other: VerbResult) -> None:
        self.done += other.done
        self.refused += other.refused


class When:
    """A condition on a row, as plain data: the values that its columns may have.

    In place of values, True or False: the column is filled (neither null, false nor 0), or is not.
    The same data picks rows in the database, judges a row here, and is sent to pages, which judge
    the rows that they show.
    """

    def __init__(self, **columns: Collection[object] | bool) -> None:
        self.columns: Mapping[str, list[object] | bool] = {
            name: expected if isinstance(expected, bool) else list(expected)
            for name, expected in columns.items()
        }

    def __call__(self, rows: QuerySet[M], values: Values) -> QuerySet[M]:
        """Those of the rows that fit."""
        return rows.filter(self._query(rows.model))

    def fits(self, row: Model) -> bool:
        return all(
            bool(getattr(row, name)) is expected
            if isinstance(expected, bool)
            else getattr(row, name) in expected
            for name, expected in self.columns.items()
        )

    def _query(self, model: type[Model]) -> Q:
        query = Q()
        for name, expected in self.columns.items():
            if not isinstance(expected, bool):
                query &= Q(**{f"{name}__in": expected})
                continue
            null = model._meta.get_field(name).null
            empty = Q(**{f"{name}__isnull": True}) if null else Q(**{name: 0})
            query &= ~empty if expected else empty
        return query


ALWAYS = When()


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
    audit reads them, and before that whatever `apply` locks before them.
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
    lock: Callable[[QuerySet[M], Values], None] = lock_rows

    def preview(self, rows: QuerySet[M], values: Values) -> list[str]:
        """What it will do to the rows, in sentences."""
        sentences: list[str] = []
        for part in self.previews:
            if not isinstance(part, Preview):
                sentences += part(rows, values)
                continue
            affected = part.affects(rows, values).count()
            if part.says and (affected or part.always):
                sentences.append(str(part.says % {"count": affected}))
            if part.refuses and (others := rows.count() - affected):
                sentences.append(str(part.refuses % {"count": others}))
        return sentences or [gettext("Nothing changes.")]

    def cleaned(self, values: Values) -> Values:
        """The values as the fields understand them, or BadValues."""
        form = FieldsForm(values, fields=self.fields)
        if not form.is_valid():
            raise BadValues(
                " ".join(
                    f"{name}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()
                )
            )
        return form.cleaned_data


class FieldsForm(forms.Form):
    """The fields of a verb."""

    def __init__(self, *args: object, fields: Mapping[str, forms.Field], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # as for any form
        for name, asked in fields.items():
            self.fields[name] = deepcopy(asked)


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


def by_key(
    transition: Callable[..., object], *args: object
) -> Callable[[QuerySet[M], By, Values], VerbResult]:
    """The `apply` of a verb that calls a transition with the key of one row at a time."""
    return one_by_one(lambda row, by, _: transition(row.pk, *args, by=by.actor, reason=by.reason))


def carry_out(
    verb: Verb[M], rows: QuerySet[M], caller: Caller, reason: str, values: Values
) -> VerbResult:
    """Use a verb on each of the rows; some may refuse.

    `values` are cleaned already. Each row gets an entry in the operators' audit, written in the
    transaction that changes it. Rows that may change together do so by the thousand, the others
    each in a transaction of its own: so locks are taken in the order that the engine keeps. If the
    process dies midway, the audit shows what was done.
    """
    reason = reason.strip()[:LONGEST_REASON]
    if not caller.may(verb.permission):
        raise VerbNotAllowed(f"{caller.name} may not {verb.name}: {verb.permission} is missing.")
    if not reason:
        raise ReasonMissing
    keys: list[Key] = list(rows.order_by("pk").values_list("pk", flat=True))
    handled = VerbResult()
    every = rows.model._default_manager.all()
    for batch in _batches(verb, every, keys):
        handled.add(_carry_out_one(verb, every, batch, caller, reason, values))
    return handled


def _batches(verb: Verb[M], every: QuerySet[M], keys: list[Key]) -> Iterator[Sequence[Key]]:
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
) -> VerbResult:
    """Apply the verb to the rows and write the audit, in one transaction.

    The rows are locked first, so that nobody changes them between `before` and the verb.
    """
    rows = every.filter(pk__in=keys)
    try:
        with transaction.atomic():
            verb.lock(rows, values)
            before = _snapshots(verb, rows)
            handled = verb.apply(rows.all(), By(caller.name, reason), values)
            after = _snapshots(verb, rows)
            done = [
                Entry(str(key), before.get(key, {}), after.get(key, {})) for key in handled.done
            ]
            refused = [
                Entry(str(key), before.get(key, {}), after.get(key, {}), problem)
                for key, problem in handled.refused
            ]
            audit.write(caller, verb.name, _kind(rows), reason, done + refused)
    except (DatabaseError, InterfaceError) as failure:
        problem = database.meaning_of(failure)
        if problem is None:
            raise
        return VerbResult(refused=[(key, problem) for key in keys])
    return handled


def _snapshots(verb: Verb[M], rows: QuerySet[M]) -> dict[Key, Snapshot]:
    """What the audit keeps of the rows; columns that may be large are not read."""
    large = [column.name for column in rows.model._meta.fields if isinstance(column, JSONField)]
    lean = rows.only(*verb.columns) if verb.columns else rows.defer(*large)
    return {row.pk: verb.snapshot(row) for row in lean}


def _kind(rows: QuerySet[M]) -> str:
    return rows.model._meta.model_name or ""
