"""The body of a request: JSON without values that the database cannot store."""

import json
import re
from collections.abc import Iterator
from typing import TypeAlias

import orjson

from problems import Invalid

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonDict: TypeAlias = dict[str, JsonValue]

DEEPEST = 64
SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class BadJson(Invalid):
    """The body is not JSON."""

    code = "bad_json"


class NotJson(BadJson):
    """The body is not JSON, or not the expected kind of JSON."""

    brief = "invalid JSON"


def parse(raw: bytes) -> JsonValue:
    """Parse a body. A Problem names the field that cannot be used.

    Strings with NUL or half a surrogate pair cannot be stored, and nesting beyond DEEPEST is
    refused. Only bodies that could contain such a value are searched for it.
    """
    try:
        value: JsonValue = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if SURROGATE_ESCAPE.search(raw):
            _name_the_unstorable(raw)
        raise NotJson(f"The body is not JSON: {error}.") from None
    if b"\\u0000" in raw or (
        raw.count(b"{") + raw.count(b"[") > DEEPEST and _reaches_the_deepest(value)
    ):
        _check(value)
    return value


def _name_the_unstorable(raw: bytes) -> None:
    """Python's own parser accepts lone surrogates, so their field can be named."""
    try:
        value: JsonValue = json.loads(raw)
    except (ValueError, RecursionError):
        return
    _check(value)


def _reaches_the_deepest(root: JsonValue) -> bool:
    """Whether any object or list is nested DEEPEST levels deep."""
    level = [root] if isinstance(root, (dict, list)) else []
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


def _check(root: JsonValue) -> None:
    for path, depth, value in walk(root):
        if depth > DEEPEST:
            raise BadJson(
                f"{path or 'The body'} must not be nested more than {DEEPEST} levels deep"
            )
        if isinstance(value, str) and UNSTORABLE.search(value):
            raise Invalid(f"{path or 'The body'} must not contain NUL or half of a surrogate pair")


def walk(root: JsonValue) -> Iterator[tuple[str, int, JsonValue]]:
    """Every value and every key below `root`, with its path and depth."""
    waiting: list[tuple[str, int, JsonValue]] = [("", 0, root)]
    while waiting:
        path, depth, value = waiting.pop()
        yield path, depth, value
        if isinstance(value, dict):
            for key, inner in value.items():
                name = UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", key)
                here = f"{path}.{name}" if path else name
                yield here, depth, key
                waiting.append((here, depth + 1, inner))
        elif isinstance(value, list):
            waiting.extend((f"{path}[{i}]", depth + 1, inner) for i, inner in enumerate(value))
