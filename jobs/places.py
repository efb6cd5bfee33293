"""Values inside JSON columns (payload and result of a task) as SQL expressions."""

from django.db.models import Case, CharField, DecimalField, F, Func, Value, When
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Extract
from django.db.models.lookups import Exact

from jobs.coordinates import Path


def value_at(column: str, path: Path) -> Combinable:
    """The JSON at a path in a column, NULL where there is none."""
    found: Combinable = F(column)
    for key in path:
        found = KeyTransform(key, found)
    return found


def text_at(column: str, path: Path) -> Combinable:
    """The same as text."""
    return KeyTextTransform(path[-1], value_at(column, path[:-1]))


def number_at(column: str, path: Path) -> Combinable:
    """The exact number at a path in a column; NULL where there is none or another type."""
    value = value_at(column, path)
    kind = Func(value, function="jsonb_typeof", output_field=CharField())
    return Case(
        When(Exact(kind, Value("number")), then=_numeric(value)), output_field=DecimalField()
    )


def seconds_of(column: str) -> Combinable:
    """A time as a number, exact to the microsecond."""
    return _numeric(Extract(column, "epoch"))


def _numeric(value: Combinable) -> Func:
    return Func(value, template="(%(expressions)s)::numeric", output_field=DecimalField())
