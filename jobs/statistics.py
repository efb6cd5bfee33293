"""What a sweep has found out: the best results, and how results spread over the grid.

Everything is counted by the database over the tasks of the job, in exact numbers.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite

from django.db.models import (
    Aggregate,
    Avg,
    Case,
    Count,
    DecimalField,
    FloatField,
    Max,
    Min,
    Q,
    StdDev,
    When,
)
from django.db.models.functions import Cast
from django.db.models.lookups import IsNull

from jobs import bodies, sweeps
from jobs.coordinates import Path
from jobs.models import Job
from jobs.places import number_at, value_at
from tasks.models import Task
from tasks.querysets import TaskQuerySet
from tasks.states import Status

Body = dict[str, object]

MOST_VALUES = 1_000
"""Values of one parameter that are told apart; one with more is an axis to plot, not to rank."""


class Median(Aggregate):
    """The middle value, or the mean of the two in the middle."""

    template = "percentile_cont(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


FOUND = Case(
    When(status=Status.DONE, then=number_at("result", ("fopt",))), output_field=DecimalField()
)
"""The `fopt` of a task that is done, if it has one."""

SUMMARY = {
    "count": Count(FOUND),
    "failed": Count("pk", filter=Q(status=Status.FAILED)),
    "mean": Avg(FOUND),
    "std": StdDev(FOUND, sample=True),
    "min": Min(FOUND),
    "max": Max(FOUND),
    "median": Median(Cast(FOUND, FloatField())),
}


def best(job: Job) -> Body:
    """The smallest `fopt` of all, and of each algorithm, function and value of a parameter."""
    found = Task.objects.filter(IsNull(FOUND, False), job=job)
    first = found.order_by(FOUND, "pk").first()
    return {
        "jobId": job.public_id,
        "best": _short(first) if first else None,
        **_by_place(job, lambda path: _best_by(found, path)),
    }


def statistics(job: Job) -> Body:
    """How `fopt` spreads: over all, and for each algorithm, function and value of a parameter.

    The rank is that of the mean, the smallest first; equal means share one.
    """
    tasks = Task.objects.filter(job=job).order_by()
    return {
        "jobId": job.public_id,
        "overall": _summary(tasks.aggregate(**SUMMARY)),
        **_by_place(job, lambda path: _spread_by(tasks, path)),
    }


def _by_place(job: Job, ask: Callable[[Path], list[Body]]) -> Body:
    """What `ask` tells of each place in the payloads that makes results different."""
    told: dict[Path, list[Body]] = {}
    parameters = sweeps.parameters_of(job.specification)
    chosen = sweeps.coordinates_of(job.specification)
    for path in [*parameters.values(), *chosen.values()]:
        if path not in told:
            told[path] = ask(path)
    return {
        "byAlgorithm": told[chosen["algorithm"]] if "algorithm" in chosen else [],
        "byFunction": told[chosen["function"]] if "function" in chosen else [],
        "byParameter": {
            name: told[path] for name, path in parameters.items() if len(told[path]) <= MOST_VALUES
        },
        "tooManyValues": [
            name for name, path in parameters.items() if len(told[path]) > MOST_VALUES
        ],
    }


def _best_by(found: TaskQuerySet, path: Path) -> list[Body]:
    """The best of each value. Only the ids are sorted: whole tasks would not fit in memory."""
    firsts = (
        found.annotate(value=value_at("payload", path))
        .order_by("value", FOUND, "pk")
        .distinct("value")
        .values_list("value", "pk")
    )
    chosen = list(firsts[: MOST_VALUES + 1])
    tasks = Task.objects.in_bulk([pk for _, pk in chosen])
    return [{"value": value, **_short(tasks[pk])} for value, pk in chosen]


def _spread_by(tasks: TaskQuerySet, path: Path) -> list[Body]:
    groups = (
        tasks.annotate(value=value_at("payload", path))
        .values("value")
        .annotate(**SUMMARY)
        .order_by("value")
    )
    lines = [{"value": row["value"], **_summary(row)} for row in groups[: MOST_VALUES + 1]]
    return _ranked(lines)


def _ranked(lines: list[Body]) -> list[Body]:
    means = sorted(mean for line in lines if isinstance(mean := line["mean"], float))
    ranks: dict[object, int] = {}
    for place, mean in enumerate(means, start=1):
        ranks.setdefault(mean, place)
    return [{**line, "rank": ranks.get(line["mean"])} for line in lines]


def _summary(row: Mapping[str, object]) -> Body:
    return {name: _finite(row[name]) for name in SUMMARY}


def _finite(number: object) -> object:
    """A number that JSON can hold; what is larger than any float is none."""
    if isinstance(number, (Decimal, float)):
        return float(number) if isfinite(float(number)) else None
    return number


def _short(task: Task) -> Body:
    """A result without its document, which may be long."""
    return {name: value for name, value in bodies.result(task).items() if name != "result"}
