"""A verb is one thing that a person may do to rows: shown first, given a reason, written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from django import forms
from django.db import OperationalError, transaction
from django.db.models import JSONField, Model, QuerySet

from accounts.callers import Caller
from console.exceptions import BadValues, NotAllowed, ReasonMissing
from events import audit
from events.audit import Entry, Snapshot
from problems import Problem, Unavailable

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

M = TypeVar("M", bound=Model)

Key = UUID | str
Values = Mapping[str, object]

BATCH = 1_000
"""Rows that one transaction changes, of those that may be changed together."""

LONGEST_REASON = 1_000


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, as the journal names them, and why."""

    actor: str
    reason: str


@dataclass(slots=True)
class VerbResult:
    """The keys of the rows that were changed, and of those that were not, with the reason."""

    done: list[Key] = field(default_factory=list)
    refused: list[tuple[Key, Problem]] = field(default_factory=list)

    def add(self, other: VerbResult) -> None:
        self.done += other.done
        self.refused += other.refused


@dataclass(frozen=True)
class Verb(Generic[M]):
    """What people may do to rows of one model.

    `preview` says what it will do, in sentences with counts; values that were not given yet are
    missing there. `apply` does it to one row, or to many of those that `at_once` picks, inside a
    transaction; it locks what it changes. `snapshot` is what the audit keeps, as JSON takes it.
    `fields` are asked beside the reason. `columns` are all that `snapshot` reads, where reading
    whole rows would take long.
    """

    name: str
    label: StrPromise
    permission: str
    preview: Callable[[QuerySet[M], Values], list[str]]
    apply: Callable[[QuerySet[M], By, Values], VerbResult]
    snapshot: Callable[[M], Snapshot]
    fields: Mapping[str, forms.Field] = field(default_factory=dict)
    at_once: Callable[[QuerySet[M]], QuerySet[M]] | None = None
    columns: Sequence[str] = ()
    icon: str = "bolt"

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
    """The fields that a verb asks for."""

    def __init__(self, *args: object, fields: Mapping[str, forms.Field], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # whatever Django's form takes
        for name, asked in fields.items():
            self.fields[name] = deepcopy(asked)


def one_by_one(
    act: Callable[[M, By, Values], object],
) -> Callable[[QuerySet[M], By, Values], VerbResult]:
    """The `apply` of a verb that knows one row only; what is refused does not stop the others."""

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


def carry_out(
    verb: Verb[M], rows: QuerySet[M], caller: Caller, reason: str, values: Values
) -> VerbResult:
    """Use a verb on each of the rows, as far as it can be; which ones it was, and which not.

    `values` are cleaned already. Every row has its line in the operators' audit, written in the
    transaction that changed it. Rows that may change together do so by the thousand, the others
    each in a transaction of its own: so locks are taken in the order that the engine keeps. A
    process that dies midway has done a part, and the audit says which.
    """
    reason = reason.strip()[:LONGEST_REASON]
    if not caller.may(verb.permission):
        raise NotAllowed(f"{caller.name} may not {verb.name} here: {verb.permission} is missing.")
    if not reason:
        raise ReasonMissing
    keys: list[Key] = list(rows.order_by("pk").values_list("pk", flat=True))
    handled = VerbResult()
    for batch in _batches(verb, rows.model._default_manager.all(), keys):
        handled.add(_carry_out_one(verb, batch, caller, reason, values))
    return handled


def _batches(verb: Verb[M], every: QuerySet[M], keys: list[Key]) -> Iterator[QuerySet[M]]:
    for start in range(0, len(keys), BATCH):
        some = keys[start : start + BATCH]
        together: set[Key] = set()
        if verb.at_once and len(some) > 1:
            chosen = verb.at_once(every.filter(pk__in=some))
            together = set(chosen.values_list("pk", flat=True))
            yield every.filter(pk__in=together)
        for key in some:
            if key not in together:
                yield every.filter(pk=key)


def _carry_out_one(
    verb: Verb[M], rows: QuerySet[M], caller: Caller, reason: str, values: Values
) -> VerbResult:
    """Apply the verb to the rows and write the audit, both or neither."""
    before: dict[Key, Snapshot] = {}
    try:
        with transaction.atomic():
            before |= _snapshots(verb, rows)
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
    except OperationalError as busy:
        problem = Unavailable(
            f"The database is busy; try again. ({str(busy).partition(chr(10))[0]})"
        )
        return VerbResult(refused=[(key, problem) for key in before])
    return handled


def _snapshots(verb: Verb[M], rows: QuerySet[M]) -> dict[Key, Snapshot]:
    """What the audit keeps of the rows; columns of any size are not read for it."""
    large = [column.name for column in rows.model._meta.fields if isinstance(column, JSONField)]
    lean = rows.only(*verb.columns) if verb.columns else rows.defer(*large)
    return {row.pk: verb.snapshot(row) for row in lean}


def _kind(rows: QuerySet[M]) -> str:
    return rows.model._meta.model_name or ""
