"""How much rows hold: what may be large is measured in the database before any of it is read."""

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from operator import add
from typing import TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    CharField,
    F,
    Func,
    IntegerField,
    JSONField,
    Model,
    QuerySet,
    TextField,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce

M = TypeVar("M", bound=Model)
K = TypeVar("K")

MOST_BYTES = 4 * 1024 * 1024
"""The most that the rows of one answer hold in their large columns; a single row may hold more."""

LONG = 1_000  # characters
FEW = 64  # rows are measured first: to measure JSON, the database has to read it


def large_columns(model: type[Model]) -> list[str]:
    """The columns that may hold much: JSON, lists, and texts without a limit."""
    return [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, (JSONField, ArrayField, TextField))
        or (isinstance(field, CharField) and (field.max_length or LONG) >= LONG)
    ]


def fitting(rows: QuerySet[M], keys: Sequence[K]) -> Sequence[K]:
    """The first of these keys whose rows hold no more than MOST_BYTES together, at least one."""
    columns = [name for name in large_columns(rows.model) if _is_read(rows, name)]
    if not columns or not keys:
        return keys
    total = fit = 0
    for some in filter(None, (keys[:FEW], keys[FEW:])):
        measured = rows.model._default_manager.filter(pk__in=some).order_by()
        held = dict(measured.values_list("pk", reduce(add, map(_bytes_of, columns))))
        for key in some:
            total += held.get(key, 0)
            if total > MOST_BYTES:
                return keys[: max(fit, 1)]
            fit += 1
    return keys


def in_order(rows: QuerySet[M], keys: Collection[object]) -> list[M]:
    """The rows of these keys in this order; those that are gone are left out."""
    found = {row.pk: row for row in rows.order_by().filter(pk__in=keys)} if keys else {}
    return [found[key] for key in keys if key in found]


def first(rows: QuerySet[M], most: int, *, skipped: int = 0) -> list[M]:
    """The first rows in their order, no more than `most` and than MOST_BYTES of them."""
    keys = rows.prefetch_related(None).values_list("pk", flat=True)[skipped : skipped + most]
    return in_order(rows, fitting(rows, list(keys)))


def without(rows: QuerySet[M], shown: Iterable[str] = ()) -> QuerySet[M]:
    """The rows without their large columns, but for those that are shown."""
    return rows.defer(*{*large_columns(rows.model)} - {*shown})


def _is_read(rows: QuerySet[M], name: str) -> bool:
    names, deferred = rows.query.deferred_loading
    return (name in names) != deferred


def _bytes_of(column: str) -> Combinable:
    """Of a text the database knows its length without reading it."""
    text = Func(Cast(F(column), TextField()), function="octet_length", output_field=IntegerField())
    return Coalesce(text, Value(0))
