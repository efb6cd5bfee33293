"""A typed parameter of a grid in a request; every error names the parameter."""

from math import isfinite

from api.body import JsonValue
from api.fields import Schema, by_name
from jobs.exceptions import BadParameter
from jobs.grid import Axis, Floats, Listed, WholeNumbers

FIELDS = dict.fromkeys(("type", "value", "values", "min", "max", "step"))
TYPES = "CONSTANT, INT_RANGE, FLOAT_RANGE or ENUM_LIST"


def axis_of(name: str, data: JsonValue) -> Axis:
    """The values that the parameter `name` takes."""
    if not isinstance(data, dict):
        raise BadParameter(f"{name} must be an object with a type")
    given = by_name(data, FIELDS)
    kind = given.get("type")
    if not isinstance(kind, str) or not kind.strip():
        raise BadParameter(f"{name}.type is required")
    match kind.strip().upper():
        case "CONSTANT":
            if "value" not in given:
                raise BadParameter(f"{name}.value is required")
            return Listed(name, (given["value"],))
        case "INT_RANGE":
            return whole_numbers(name, given, step=1)
        case "FLOAT_RANGE":
            return _floats(name, given)
        case "ENUM_LIST":
            return _listed(name, given.get("values"))
    raise BadParameter(f"{name}.type must be {TYPES}, not {kind.strip()[:40]!r}")


def whole_numbers(name: str, given: dict[str, JsonValue], *, step: int | None) -> WholeNumbers:
    """A range of whole numbers; `step` is the default step, None if one is required."""
    axis = WholeNumbers(
        name,
        _whole(name, "min", given.get("min")),
        _whole(name, "max", given.get("max")),
        _whole(name, "step", given.get("step"), absent=step),
    )
    _check(name, axis.least, axis.most, axis.step)
    return axis


def _floats(name: str, given: dict[str, JsonValue]) -> Floats:
    axis = Floats(
        name,
        _number(name, "min", given.get("min")),
        _number(name, "max", given.get("max")),
        _number(name, "step", given.get("step"), absent=1.0),
    )
    _check(name, axis.least, axis.most, axis.step)
    return axis


def _check(name: str, least: float, most: float, step: float) -> None:
    if step <= 0 or most < least:
        raise BadParameter(f"{name} range is invalid")


def _whole(name: str, part: str, value: JsonValue, *, absent: int | None = None) -> int:
    if value is None and absent is not None:
        return absent
    if value is None:
        raise BadParameter(f"{name}.{part} is required")
    if type(value) is not int:  # True is an int too
        raise BadParameter(f"{name}.{part} must be a whole number")
    return value


def _number(name: str, part: str, value: JsonValue, *, absent: float | None = None) -> float:
    if value is None and absent is not None:
        return absent
    if value is None:
        raise BadParameter(f"{name}.{part} is required")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise BadParameter(f"{name}.{part} must be a number")
    return float(value)


def _listed(name: str, items: JsonValue) -> Listed:
    if items is None:
        raise BadParameter(f"{name}.values is required")
    if not isinstance(items, list):
        raise BadParameter(f"{name}.values must be a list")
    if not items:
        raise BadParameter(f"{name}.values must not be empty")
    if not all(isinstance(item, (str, int, float, bool)) for item in items):
        raise BadParameter(f"{name}.values must be strings, numbers or booleans")
    return Listed(name, tuple(items))


def schema() -> Schema:
    """The forms of a parameter, as the API's schema has them."""
    whole, number = {"type": "integer"}, {"type": "number"}
    listed = {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}
    return {
        "oneOf": [
            _form("CONSTANT", {"value": {}}, ["value"]),
            _form("INT_RANGE", dict.fromkeys(("min", "max", "step"), whole), ["min", "max"]),
            _form("FLOAT_RANGE", dict.fromkeys(("min", "max", "step"), number), ["min", "max"]),
            _form("ENUM_LIST", {"values": listed}, ["values"]),
        ]
    }


def _form(kind: str, parts: Schema, required: list[str]) -> Schema:
    properties = {"type": {"type": "string", "enum": [kind]}, **parts}
    return {"type": "object", "properties": properties, "required": ["type", *required]}
