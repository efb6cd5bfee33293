"""The results of a job as a plot: the best value over time, and along each axis of the grid."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from math import isfinite
from uuid import UUID

from django.db.models.expressions import Combinable

from jobs import results
from jobs.models import Job
from jobs.places import number_at, text_at
from tasks.models import Task

MOST_READ = 20_000  # results, the latest
MOST_POINTS = 1_000
MOST_VALUES = 50  # of one axis
VALUE: Combinable = number_at("result", results.MEASURES["fopt"])

Point = dict[str, object]
Reading = tuple[UUID, datetime, float, tuple[str | None, ...]]


def plot(job: Job) -> dict[str, object]:
    """Points in the order in which tasks ended, and the best value along each axis of the grid."""
    named = {path: name for name, path in results.places_of(job).items()}
    axes = {name.removeprefix(results.PARAMETER): path for path, name in named.items()}
    readings = list(_readings(job, axes))
    return {"points": _thinned(_points(readings)), "axes": _axes(list(axes), readings)}


def _readings(job: Job, axes: Mapping[str, tuple[str, ...]]) -> Iterable[Reading]:
    done = Task.objects.done().filter(job=job, finished_at__isnull=False)
    valued = done.annotate(value=VALUE).filter(value__isnull=False)
    along = [text_at("payload", path) for path in axes.values()]
    found = valued.order_by("-finished_at", "-pk").values_list("pk", "finished_at", "value", *along)
    for pk, at, value, *places in reversed(found[:MOST_READ]):
        number = float(value)
        if isfinite(number):
            yield pk, at, number, tuple(places)


def _points(readings: Iterable[Reading]) -> list[Point]:
    points: list[Point] = []
    best = float("inf")
    for pk, at, value, _ in readings:
        best = min(best, value)
        points.append({"at": at, "value": value, "best": best, "task_id": pk})
    return points


def _thinned(points: list[Point]) -> list[Point]:
    """Some of the points at equal distances, and each that was better than all before."""
    every = -(-len(points) // MOST_POINTS)
    kept: list[Point] = []
    best: object = None
    for place, point in enumerate(points):
        if place % every == 0 or point["best"] != best or place == len(points) - 1:
            kept.append(point)
        best = point["best"]
    return kept


def _axes(names: list[str], readings: list[Reading]) -> dict[str, list[dict[str, object]]]:
    """For each value along each axis that has several, the best result there."""
    found: dict[str, list[dict[str, object]]] = {}
    for place, name in enumerate(names):
        best: dict[str, tuple[float, int]] = {}
        for _, _, value, places in readings:
            if (given := places[place]) is not None:
                before, tasks = best.get(given, (value, 0))
                best[given] = min(before, value), tasks + 1
        if 1 < len(best) <= MOST_VALUES:
            found[name] = [
                {"value": given, "best": least, "tasks": tasks}
                for given, (least, tasks) in sorted(best.items(), key=_numbers_first)
            ]
    return found


def _numbers_first(item: tuple[str, object]) -> tuple[float, str]:
    try:
        return float(item[0]), item[0]
    except ValueError:
        return float("inf"), item[0]
