"""JSON, and dataclasses read from it."""

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None
Object: TypeAlias = dict[str, JSON]
T = TypeVar("T")


class WrongType(ValueError):
    """A value is not of the type that the API declares."""


def encode(value: JSON) -> bytes:
    """The name of a file may have what is no text: that is escaped, as JSON allows."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")


def given(**values: JSON) -> Object:
    """Those that are not None: what a request leaves out is as the coordinator has it."""
    return {name: value for name, value in values.items() if value is not None}


def decode(kind: type[T], value: JSON) -> T:
    """Make a `kind` of a JSON object.

    Names are looked up as they are spelled in Python, then in camelCase, as the sweeps have them.
    What the class does not know is only in its `raw`; what is absent or null has its default.
    """
    if not isinstance(value, dict):
        raise WrongType(f"{kind.__name__} is not an object")
    found: dict[str, object] = {}
    described: type = kind
    for name, hint in hints(described).items():
        if name == "raw":
            found[name] = value
            continue
        item = value.get(name, value.get(camel(name)))
        if item is not None:
            found[name] = convert(f"{kind.__name__}.{name}", hint, item)
    try:
        return kind(**found)
    except TypeError as error:
        raise WrongType(f"{kind.__name__} is incomplete: {error}") from error


@cache
def hints(kind: type) -> Mapping[str, object]:
    known = get_type_hints(kind)
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is no dataclass")
    return {field.name: known[field.name] for field in fields(kind)}


@cache
def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def convert(name: str, hint: object, value: JSON) -> object:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        optional = len(arguments) == 2 and arguments[1] is types.NoneType
        return convert(name, arguments[0], value) if optional else value
    if origin is list and isinstance(value, list):
        return [convert(name, arguments[0], item) for item in value]
    if origin is dict and isinstance(value, dict):
        return value
    if hint is datetime and isinstance(value, str):
        return when(name, value)
    if isinstance(hint, type) and is_dataclass(hint):
        return decode(hint, value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and not stray_boolean(hint, value):
        return value
    raise WrongType(f"{name} is {type(value).__name__}")


def stray_boolean(hint: type, value: JSON) -> bool:
    return isinstance(value, bool) and hint is not bool


def when(name: str, value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise WrongType(f"{name} is no time") from error
