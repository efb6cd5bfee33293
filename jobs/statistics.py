"""Statistics of a sweep: the best results, and their distribution over the grid.

The database computes them over the tasks of the job, in exact numbers.
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

from jobs import answers, sweeps
from jobs.coordinates import Path
from jobs.models import Job
from jobs.places import number_at, value_at
from tasks.models import Task
from tasks.querysets import TaskQuerySet
from tasks.states import Status

Body = dict[str, object]

MOST_VALUES = 1_000
"""The most values of one parameter that are ranked; an axis with more is for plots."""


CHUNK = 25  # whole tasks that are read at once, each of up to a megabyte


class Median(Aggregate):
    """The middle value, or the mean of the two in the middle."""

    template = "percentile_cont(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


FOPT = Case(
    When(status=Status.DONE, then=number_at("result", ("fopt",))), output_field=DecimalField()
)
"""The `fopt` of a task that is done, if it has one."""

SUMMARY = {
    "count": Count(FOPT),
    "failed": Count("pk", filter=Q(status=Status.FAILED)),
    "mean": Avg(FOPT),
    "std": StdDev(FOPT, sample=True),
    "min": Min(FOPT),
    "max": Max(FOPT),
    "median": Median(Cast(FOPT, FloatField())),
}


def best(job: Job) -> Body:
    """The smallest `fopt` of all, and of each algorithm, function and value of a parameter."""
    found = Task.objects.filter(IsNull(FOPT, False), job=job)
    first = found.order_by(FOPT, "pk").first()
    return {
        "jobId": job.public_id,
        "best": _short(first) if first else None,
        **_by_place(job, lambda path: _best_by(found, path)),
    }


def statistics(job: Job) -> Body:
    """The distribution of `fopt`: over all, by algorithm, by function and by parameter value.

    The rank is that of the mean, the smallest first; equal means share a rank.
    """
    tasks = Task.objects.filter(job=job).order_by()
    return {
        "jobId": job.public_id,
        "overall": _summary(tasks.aggregate(**SUMMARY)),
        **_by_place(job, lambda path: _spread_by(tasks, path)),
    }


def _by_place(job: Job, group_by: Callable[[Path], list[Body]]) -> Body:
    """The groups that `group_by` makes for each parameter, called once for each path."""
    groups: dict[Path, list[Body]] = {}
    parameters = sweeps.parameters_of(job.specification)
    chosen = sweeps.coordinates_of(job.specification)
    for path in [*parameters.values(), *chosen.values()]:
        if path not in groups:
            groups[path] = group_by(path)
    return {
        "byAlgorithm": groups[chosen["algorithm"]] if "algorithm" in chosen else [],
        "byFunction": groups[chosen["function"]] if "function" in chosen else [],
        "byParameter": {
            name: groups[path]
            for name, path in parameters.items()
            if len(groups[path]) <= MOST_VALUES
        },
        "tooManyValues": [
            name for name, path in parameters.items() if len(groups[path]) > MOST_VALUES
        ],
    }


def _best_by(found: TaskQuerySet, path: Path) -> list[Body]:
    """The best result for each value. Only ids are sorted: whole tasks would not fit in memory."""
    firsts = (
        found.annotate(value=value_at("payload", path))
        .order_by("value", FOPT, "pk")
        .distinct("value")
        .values_list("value", "pk")
    )
    chosen = list(firsts[: MOST_VALUES + 1])
    bests = []
    for start in range(0, len(chosen), CHUNK):
        some = chosen[start : start + CHUNK]
        tasks = Task.objects.in_bulk([pk for _, pk in some])
        bests += [{"value": value, **_short(tasks[pk])} for value, pk in some]
    return bests


def _spread_by(tasks: TaskQuerySet, path: Path) -> list[Body]:
    groups = (
        tasks.annotate(value=value_at("payload", path))
        .values("value")
        .annotate(**SUMMARY)
        .order_by("value")
    )
    return _ranked([{"value": row["value"], **_summary(row)} for row in groups[: MOST_VALUES + 1]])


def _ranked(groups: list[Body]) -> list[Body]:
    means = sorted(mean for group in groups if isinstance(mean := group["mean"], float))
    ranks: dict[object, int] = {}
    for place, mean in enumerate(means, start=1):
        ranks.setdefault(mean, place)
    return [{**group, "rank": ranks.get(group["mean"])} for group in groups]


def _summary(row: Mapping[str, object]) -> Body:
    return {name: _finite(row[name]) for name in SUMMARY}


def _finite(number: object) -> object:
    """The number as a float, or None if it is larger than any float."""
    if isinstance(number, (Decimal, float)):
        return float(number) if isfinite(float(number)) else None
    return number


def _short(task: Task) -> Body:
    """A result without its document, which may be long."""
    return {name: value for name, value in answers.result(task).items() if name != "result"}
