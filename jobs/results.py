"""The results of a sweep: filters, order and cursor."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite
from uuid import UUID

import orjson
from django.db.models import DecimalField, F, Q, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, GreaterThanOrEqual, LessThanOrEqual
from django.http import QueryDict

from api.filters import flag
from api.names import spelled
from api.pagination import BadCursor
from jobs import coordinates, sweeps
from jobs.coordinates import Path
from jobs.models import Job
from jobs.places import number_at, seconds_of, text_at
from problems import Invalid
from tasks.models import Task
from tasks.querysets import TaskQuerySet
from tasks.states import Status

MEASURES: Mapping[str, Path] = {name: (name,) for name in ("fopt", "runtimeMs", "iter")}
TIMES: Mapping[str, str] = {"finishedAt": "finished_at", "startedAt": "claimed_at"}
PARAMETER = "param."
SHOWN = (
    "payload",
    "status",
    "result",
    "last_holder",
    "claimed_at",
    "finished_at",
    "fail_reason",
    "attempts",
    "dead_letter",
)
"""The columns of a task that a result shows; the others are not read."""

BEYOND = Decimal("1e400")  # larger than any number in a request
PIECE = 25  # rows that are read at a time, each of up to a megabyte
ID_BYTES = 16
IDS_AT_ONCE = 2_000


def of(job: Job, query: QueryDict) -> TaskQuerySet:
    """The tasks of a sweep that match the query: those that are done, with `failed` also failed."""
    places = places_of(job)
    given = [(spelled(name), str(value)) for name, value in query.items() if value]
    conditions = [_condition(places, name, value) for name, value in given]
    tasks = Task.objects.filter(*conditions, job=job).only(*SHOWN)
    if with_failed(query):
        ended = tasks.filter(status__in=[Status.DONE, Status.FAILED])
        return ended.prefetch_related("bad_attempts")
    return tasks.done()


def with_failed(query: QueryDict) -> bool:
    return flag(query, "failed")


def places_of(job: Job) -> dict[str, Path]:
    """The parameters by which results are filtered and sorted, with their paths in payloads."""
    parameters = sweeps.parameters_of(job.specification)
    return {
        **{f"{PARAMETER}{name}": path for name, path in parameters.items()},
        **sweeps.coordinates_of(job.specification),
    }


def _condition(places: Mapping[str, Path], name: str, value: str) -> Q:
    """The condition of one filter; an unknown parameter of the query is no condition."""
    if name == "spot":
        return Q(last_holder=spelled(value))
    if name in places:
        return _equals(places[name], value)
    if name.startswith(PARAMETER) or name in coordinates.NAMES:
        return Q(pk__in=[])  # this job has no such parameter
    measure, _, end = name.rpartition("_")
    if measure not in MEASURES or end not in {"min", "max"}:
        return Q()
    found = number_at("result", MEASURES[measure])
    bound = Value(_number(name, value), DecimalField())
    if end == "min":
        return Q(GreaterThanOrEqual(found, bound))
    return Q(LessThanOrEqual(found, bound))


def _equals(path: Path, value: str) -> Q:
    """The same text, or as a name the same, or the same number in another notation."""
    found = text_at("payload", path)
    same = Q(Exact(found, Value(value))) | Q(Exact(found, Value(spelled(value))))
    try:
        number = _number("", value)
    except Invalid:
        return same
    return same | Q(Exact(number_at("payload", path), Value(number, DecimalField())))


def _number(name: str, text: str) -> Decimal:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise Invalid(f"{name} must be a number")
    return Decimal(repr(number))


class ResultOrder:
    """The order of results: by a number, then by a text, then by creation.

    Rows without the number come last, in either direction.
    """

    def __init__(self, job: Job, sort: str) -> None:
        self.falling = sort.startswith("-")
        self.key = spelled(sort.removeprefix("-"))
        self.places = places_of(job)

    def applied_to(self, rows: TaskQuerySet) -> TaskQuerySet:
        """The rows in this order, each annotated with its sort keys."""
        if not self.key:
            return rows.order_by("pk")
        number, text = self._expressions()
        last = Value(-BEYOND if self.falling else BEYOND, DecimalField())
        keyed = rows.annotate(by_number=Coalesce(number, last), by_text=text)
        sign = "-" if self.falling else ""
        return keyed.order_by(f"{sign}by_number", f"{sign}by_text", "pk")

    def _expressions(self) -> tuple[Combinable, Combinable]:
        nothing = Value("", TextField())
        if self.key in MEASURES:
            return number_at("result", MEASURES[self.key]), nothing
        if self.key in TIMES:
            return seconds_of(TIMES[self.key]), nothing
        if self.key == "spot":
            return Value(None, DecimalField()), F("last_holder")
        if self.key in self.places:
            path = self.places[self.key]
            return number_at("payload", path), Coalesce(text_at("payload", path), nothing)
        names = ", ".join([*MEASURES, *TIMES, "spot", *self.places])
        raise Invalid(f"sort must be one of {names}, with - before it for descending order")

    def in_pieces(self, rows: TaskQuerySet) -> Iterator[Task]:
        """All rows, which come from `applied_to`, a few at a time by queries of their own.

        Between two of them nothing is held in the database, however long the reader takes. Where
        they are sorted, the ids are read first, since each query would sort all rows again.
        """
        if self.key:
            yield from self._by_ids(rows)
            return
        page = list(rows[:PIECE])
        while page:
            yield from page
            page = list(rows.filter(pk__gt=page[-1].pk)[:PIECE])

    def _by_ids(self, rows: TaskQuerySet) -> Iterator[Task]:
        ids = b"".join(pk.bytes for pk in rows.values_list("pk", flat=True).iterator(IDS_AT_ONCE))
        for start in range(0, len(ids), PIECE * ID_BYTES):
            some = ids[start : start + PIECE * ID_BYTES]
            named = [UUID(bytes=some[n : n + ID_BYTES]) for n in range(0, len(some), ID_BYTES)]
            found = {row.pk: row for row in rows.filter(pk__in=named)}
            yield from (found[pk] for pk in named if pk in found)

    def cursor(self, row: Task) -> str:
        """The cursor behind this row, which comes from `applied_to`."""
        found = vars(row)
        keys = [str(found["by_number"]), found["by_text"]] if self.key else []
        raw = orjson.dumps([*keys, row.pk])
        return urlsafe_b64encode(raw).decode().rstrip("=")

    def after(self, cursor: str, rows: TaskQuerySet) -> TaskQuerySet:
        """The rows behind the cursor; `rows` come from `applied_to`."""
        try:
            parts = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            *keys, pk = [str(part) for part in parts]
            behind = Q(pk__gt=UUID(pk))
            number, text = (Decimal(keys[0]), keys[1]) if keys else (Decimal(), "")
        except (ValueError, TypeError, IndexError, InvalidOperation):
            raise BadCursor from None
        if bool(keys) != bool(self.key) or "\0" in text or not number.is_finite():
            raise BadCursor
        if not keys:
            return rows.filter(behind)
        beyond = "lt" if self.falling else "gt"
        same_number, same_text = Q(by_number=number), Q(by_text=text)
        return rows.filter(
            Q(**{f"by_number__{beyond}": number})
            | same_number & (Q(**{f"by_text__{beyond}": text}) | same_text & behind)
        )
