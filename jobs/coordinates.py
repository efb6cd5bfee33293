"""The coordinates of a task in its payload: algorithm, function, iterations, agents, dimension.

A payload has its parameters under `params`, by names like `run.agents`, or in the older form at
the top level.
"""

from collections.abc import Collection, Mapping

from api.body import JsonDict, JsonValue

Path = tuple[str, ...]

NAMES = ("algorithm", "function", "iterations", "agents", "dimension")
BESIDE: Mapping[str, Path] = {
    "algorithm": ("alg",),
    "function": ("function",),
    "iterations": ("iterations",),
    "agents": ("agents",),
    "dimension": ("dimension",),
}
CHOSEN: Mapping[str, str] = {
    "algorithm": "algorithm.name",
    "function": "algorithm.function",
    "iterations": "run.iterations",
    "agents": "run.agents",
    "dimension": "run.dimension",
}


def of(payload: JsonValue) -> JsonDict:
    """The coordinates in a payload; missing ones are left out."""
    if not isinstance(payload, dict):
        return {}
    params = payload.get("params")
    places = {**BESIDE, **(paths(params) if isinstance(params, dict) else {})}
    found = {name: _plain(_at(payload, place)) for name, place in places.items()}
    return {name: value for name, value in found.items() if value is not None}


def paths(names: Collection[str]) -> dict[str, Path]:
    """The paths of the coordinates in payloads whose parameters have these names."""
    found = {name: _called(name, names) for name in NAMES}
    # Sweeps without an algorithm show the function that they minimise in its place.
    found["algorithm"] = algorithm_among(names) or _exactly(CHOSEN["function"], names)
    return {name: ("params", called) for name, called in found.items() if called}


def algorithm_among(names: Collection[str]) -> str | None:
    """The parameter that names the algorithm, if there is one."""
    return _called("algorithm", names) or _called("alg", names)


def optimizer_among(names: Collection[str]) -> str | None:
    """The parameter that names the optimizer, if there is one."""
    return _called("optimizer", names)


def _called(name: str, names: Collection[str]) -> str | None:
    """The parameter with the usual name for this, else the first whose last part is the name."""
    return _exactly(CHOSEN.get(name, name), names) or next(
        (given for given in names if given.rpartition(".")[2].lower() == name), None
    )


def _exactly(name: str, names: Collection[str]) -> str | None:
    return name if name in names else None


def _at(payload: JsonDict, path: Path) -> JsonValue:
    value: JsonValue = payload
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _plain(value: JsonValue) -> JsonValue:
    """A text or a number; for a range (old payloads have one for iterations) its end."""
    if isinstance(value, dict):
        value = value.get("max")
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None
