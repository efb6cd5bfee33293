"""A sweep: one program run over a grid of parameters, a task for each combination."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from api.body import JsonDict, is_larger
from api.fields import JOB_PREFIX, NOBODY, identifier
from api.names import spelled
from jobs import coordinates
from jobs.coordinates import Path
from jobs.exceptions import GridTooLarge
from jobs.grid import COUNTLESS, Grid

CHANNEL = "sweeps"
LONGEST_TITLE = 200
MOST_WANTS = 1_000
MOST_SPECIFIED = 2 * 1024 * 1024
MOST_BYTES = 512 * 1024 * 1024  # of all payloads of a job together


@dataclass(frozen=True, slots=True)
class Sweep:
    """A requested sweep.

    Each payload is `constant` plus a combination, at the top level or `under` a key. A task's wants
    are the values of the axes in `wants_by_axis`, plus `fixed_wants`.
    """

    specification: JsonDict
    grid: Grid
    constant: JsonDict = field(default_factory=dict)
    under: str = ""
    wants_by_axis: dict[str, str] = field(default_factory=dict)
    fixed_wants: dict[str, str] = field(default_factory=dict)
    name: str = ""
    priority: int = 0
    max_attempts: int | None = None
    retry_delay_seconds: int = 0
    idempotency_key: str = ""

    def check_size(self) -> None:
        """Refuse a grid that is too large, by its counts and before anything is built."""
        count = self.grid.count
        if count > settings.MAX_JOB_TASKS:
            raise GridTooLarge(
                f"the job would have {_shown(count)} tasks; "
                f"at most {settings.MAX_JOB_TASKS} are allowed"
            )
        wants = self._wanted_axes().count
        if wants > MOST_WANTS:
            raise GridTooLarge(
                f"the tasks would want {_shown(wants)} different things of their SPOTs; "
                f"at most {MOST_WANTS} are allowed"
            )
        if is_larger(self.specification, MOST_SPECIFIED):
            raise GridTooLarge(f"the job's parameters would have more than {MOST_SPECIFIED} bytes")
        size = self.grid.largest()
        if size > settings.MAX_PAYLOAD_BYTES:
            raise GridTooLarge(
                f"a task's payload would have {size} bytes; "
                f"at most {settings.MAX_PAYLOAD_BYTES} are allowed"
            )
        if size * count > MOST_BYTES:
            raise GridTooLarge(
                f"the job would have {count} tasks of {size} bytes; "
                f"at most {MOST_BYTES} bytes are allowed"
            )

    def tasks(self) -> Iterator["SweepTask"]:
        """The tasks in the order of submission."""
        for combination in self.grid.combinations():
            inner = {self.under: combination} if self.under else combination
            yield SweepTask(
                title=" ".join(f"{name}={value}" for name, value in combination.items())[
                    :LONGEST_TITLE
                ],
                payload={**self.constant, **inner},
                wants=self._wants(combination),
            )

    def different_wants(self) -> Iterator[dict[str, str]]:
        """The distinct wants of the tasks, without building all tasks."""
        return (self._wants(combination) for combination in self._wanted_axes().combinations())

    def _wanted_axes(self) -> Grid:
        names = self.wants_by_axis.values()
        return Grid(tuple(axis for axis in self.grid.axes if axis.name in names))

    def _wants(self, combination: JsonDict) -> dict[str, str]:
        chosen = {key: combination[axis] for key, axis in self.wants_by_axis.items()}
        names = {key: spelled(value) for key, value in chosen.items() if isinstance(value, str)}
        return {**{key: name for key, name in names.items() if name}, **self.fixed_wants}


@dataclass(frozen=True, slots=True)
class SweepTask:
    title: str
    payload: JsonDict
    wants: dict[str, str]


def _shown(count: int) -> str:
    return str(count) if count <= COUNTLESS else f"more than {COUNTLESS}"


def id_of(public_id: str) -> UUID:
    """Parse the public id of a sweep; a malformed one becomes NOBODY."""
    text = public_id.strip().lower()
    return identifier(text.removeprefix(JOB_PREFIX)) if text.startswith(JOB_PREFIX) else NOBODY


def parameters_of(specification: JsonDict) -> dict[str, Path]:
    """The parameters of a sweep in the order of submission, with their paths in payloads."""
    if "parameters" not in specification:
        fixed = ("algorithm", "iterations", "agents", "dimension")
        return {name: coordinates.BESIDE[name] for name in fixed}
    names = specification.get("parameterNames")
    return {str(name): ("params", str(name)) for name in names} if isinstance(names, list) else {}


def named_parameters(specification: JsonDict) -> list[str]:
    """The parameters beside the coordinates that every sweep has; form A has none."""
    return list(parameters_of(specification)) if "parameters" in specification else []


def coordinates_of(specification: JsonDict) -> dict[str, Path]:
    """The paths of the coordinates in a sweep's payloads, for SQL; the twin of `coordinates.of`."""
    parameters = parameters_of(specification)
    if "parameters" in specification:
        return coordinates.paths(parameters)
    return parameters
