"""The two forms of a request for a sweep (contract 004, 1.3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from api import fields
from api.body import JsonDict, JsonValue
from api.names import spelled
from api.serializers import RequestSerializer, Values
from jobs import coordinates, parameters
from jobs.exceptions import BadParameter
from jobs.grid import Axis, Grid, Listed
from jobs.sweeps import Sweep
from problems import Invalid
from tasks.models import KEY_LENGTH

LONGEST_PATH = 2000
MOST_ATTEMPTS = 1000
LONGEST_DELAY = 60
RANGES = ("iterations", "agents", "dimension")
GROUP = dict.fromkeys(("groupId", "params"))
OF_PARAMETERS = {"parameters", "artifactbucket", "artifactkey"}


class WholeRange(fields.Strict):
    """`{min, max, step}`, all whole numbers."""

    expected = "an object of min, max and step"

    def check(self, data: object) -> object:
        if not isinstance(data, dict):
            raise self.wrong_type()
        name = str(self.field_name)
        return parameters.whole_numbers(name, fields.by_name(data, parameters.FIELDS), step=None)

    def schema(self, refer: fields.Refer) -> fields.Schema:
        whole = {"type": "integer"}
        return {
            "type": "object",
            "properties": {"min": whole, "max": whole, "step": {**whole, "minimum": 1}},
            "required": ["min", "max", "step"],
        }


class Algorithms(fields.Strict):
    """Names of algorithms, at least one; a repeated name runs twice."""

    expected = "a list of strings"

    def absent(self) -> object:
        raise BadParameter(f"{self.field_name} must not be empty")

    def check(self, data: object) -> object:
        if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
            raise self.wrong_type()
        names = tuple(map(spelled, data))
        if not names:
            return self.absent()
        if not all(names):
            raise self.refused("must not contain blanks")
        return Listed("alg", names)

    def schema(self, refer: fields.Refer) -> fields.Schema:
        name = {"type": "string", "pattern": fields.NOT_BLANK}
        return {"type": "array", "items": name, "minItems": 1}


class Groups(fields.Strict):
    """Groups of typed parameters: `[{groupId, params: {name: …}}]`."""

    expected = "a list of groups"

    def absent(self) -> object:
        raise BadParameter(f"{self.field_name} must not be empty")

    def check(self, data: object) -> object:
        if not isinstance(data, list):
            raise self.wrong_type()
        groups = [_group(f"{self.field_name}[{i}]", item) for i, item in enumerate(data)]
        axes: dict[str, Axis] = {}
        for axis in chain.from_iterable(_axes_of(group) for group in groups):
            if axis.name in axes:
                raise BadParameter(f"{axis.name} is given twice")
            axes[axis.name] = axis
        if not axes:
            return self.absent()
        return groups, Grid(tuple(axes.values()))

    def schema(self, refer: fields.Refer) -> fields.Schema:
        not_blank = {"type": "string", "pattern": fields.NOT_BLANK}
        group = {
            "type": "object",
            "properties": {
                "groupId": not_blank,
                "params": {
                    "type": ["object", "null"],
                    "propertyNames": not_blank,
                    "additionalProperties": parameters.schema(),
                },
            },
            "required": ["groupId"],
        }
        some = {"type": "object", "minProperties": 1}
        filled = {"required": ["params"], "properties": {"params": some}}
        return {"type": "array", "items": group, "contains": filled}


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """A group of parameters as the request has it."""

    id: str
    params: JsonDict


def _group(place: str, data: JsonValue) -> ParameterGroup:
    if not isinstance(data, dict):
        raise BadParameter(f"{place} must be an object")
    given = fields.by_name(data, GROUP)
    group_id, params = given.get("groupId"), given.get("params")
    if not isinstance(group_id, str) or not group_id.strip():
        raise BadParameter(f"{place}.groupId is required")
    if params is not None and not isinstance(params, dict):
        raise BadParameter(f"{place}.params must be an object")
    return ParameterGroup(spelled(group_id), params or {})


def _axes_of(group: ParameterGroup) -> Iterator[Axis]:
    for name, data in group.params.items():
        if not name.strip():
            raise BadParameter(f"{group.id} must not have a parameter without a name")
        yield parameters.axis_of(f"{group.id}.{spelled(name)}", data)


class SweepRequestSerializer(RequestSerializer):
    """The fields of both forms beside the grid."""

    missing = "{} is required"

    name = fields.Name(default="")
    priority = fields.WholeNumber(default=0)
    maxAttempts = fields.WholeNumber(default=None, least=1, most=MOST_ATTEMPTS)  # noqa: N815
    retryDelaySeconds = fields.WholeNumber(default=0, least=0, most=LONGEST_DELAY)  # noqa: N815
    idempotencyKey = fields.Name(default="", max_length=KEY_LENGTH)  # noqa: N815
    idempotency_key = fields.Name(default="", max_length=KEY_LENGTH)


class RangesRequestSerializer(SweepRequestSerializer):
    """Form A: algorithms and three ranges."""

    jarPath = fields.Text(max_length=LONGEST_PATH)  # noqa: N815
    mainClass = fields.Text(max_length=LONGEST_PATH)  # noqa: N815
    algorithms = Algorithms()
    iterations = WholeRange()
    agents = WholeRange()
    dimension = WholeRange()


class ParametersRequestSerializer(SweepRequestSerializer):
    """Form B: an artifact, and groups of typed parameters."""

    artifactBucket = fields.Text(max_length=LONGEST_PATH)  # noqa: N815
    artifactKey = fields.Text(max_length=LONGEST_PATH)  # noqa: N815
    artifactEndpoint = fields.Text(default=None, max_length=LONGEST_PATH)  # noqa: N815
    mainClass = fields.Text(max_length=LONGEST_PATH)  # noqa: N815
    optimizerId = fields.Name(default="")  # noqa: N815
    parameters = Groups()


def read(data: JsonValue) -> Sweep:
    """The requested sweep, from either form. Raises GridTooLarge if it is too large to build."""
    names = {name.lower() for name in data} if isinstance(data, dict) else set()
    if {"algorithms", "parameters"} <= names:
        raise Invalid("either algorithms or parameters, not both")
    sweep = _of_parameters(data) if names & OF_PARAMETERS else _of_ranges(data)
    sweep.check_size()
    return sweep


def _of_ranges(data: JsonValue) -> Sweep:
    values = RangesRequestSerializer.read(data)
    ranges: list[Axis] = [values[name] for name in RANGES]
    algorithms: Listed = values["algorithms"]
    specification: JsonDict = {
        "jarPath": values["jarPath"],
        "mainClass": values["mainClass"],
        "algorithms": list(algorithms.items),
    }
    for name in RANGES:
        axis = values[name]
        specification[name] = {"min": axis.least, "max": axis.most, "step": axis.step}
    return Sweep(
        specification={**specification, **_rules(values)},
        grid=Grid((algorithms, *ranges)),
        wants_by_axis={"algorithm": algorithms.name},
        **_common(values),
    )


def _of_parameters(data: JsonValue) -> Sweep:
    values = ParametersRequestSerializer.read(data)
    groups: list[ParameterGroup]
    grid: Grid
    groups, grid = values["parameters"]
    names = [axis.name for axis in grid.axes]
    fixed = ("artifactBucket", "artifactKey", "artifactEndpoint", "mainClass")
    constant: JsonDict = {name: values[name] for name in fixed}
    optimizer = values["optimizerId"]
    by_axis = {
        "algorithm": coordinates.algorithm_among(names),
        "optimizer": coordinates.optimizer_among(names),
    }
    return Sweep(
        specification={
            **constant,
            **({"optimizerId": optimizer} if optimizer else {}),
            "parameters": [{"groupId": group.id, "params": group.params} for group in groups],
            "parameterNames": list(names),  # in order, which jsonb does not keep
            **_rules(values),
        },
        grid=grid,
        constant=constant,
        under="params",
        wants_by_axis={key: axis for key, axis in by_axis.items() if axis},
        fixed_wants={"optimizer": optimizer} if optimizer else {},
        **_common(values),
    )


def _rules(values: Values) -> JsonDict:
    """The request's own rules for attempts, if any."""
    names = ("maxAttempts", "retryDelaySeconds")
    return {name: values[name] for name in names if values[name]}


def _common(values: Values) -> Values:
    return {
        "name": values["name"],
        "priority": values["priority"],
        "max_attempts": values["maxAttempts"],
        "retry_delay_seconds": values["retryDelaySeconds"],
        "idempotency_key": values["idempotencyKey"] or values["idempotency_key"],
    }
