"""The body of a request: JSON without values that the database cannot store."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from math import isfinite
from typing import TypeAlias

import orjson

from problems import Invalid

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonDict: TypeAlias = dict[str, JsonValue]

DEEPEST = 64
SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
BEYOND_64_BITS = 19  # the digits of the smallest whole number that may need more
ALL_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"0" * 9)
MAY_GROW = (dict, list, tuple, float)
MOST_GROWTH = 64
"""By what no JSON grows where it is written without exponents: 1e308 has 309 digits."""
WHOLE_NUMBER = re.compile(rb"(?<![.0-9])[0-9]{%d}" % BEYOND_64_BITS)


class BadJson(Invalid):
    """The body is not JSON."""

    code = "bad_json"


class NotJson(BadJson):
    """The body is not JSON, or not the expected kind of JSON."""

    brief = "invalid JSON"


def parse(raw: bytes) -> JsonValue:
    """Parse a body. A Problem names the field that cannot be used.

    Whole numbers are kept exactly; other numbers are of 64 bits. Strings with NUL or half a
    surrogate pair cannot be stored, and nesting beyond DEEPEST, numbers beyond those of 64 bits and
    names given twice in one object are refused. Only bodies that could contain such a value are
    searched for it.
    """
    try:
        value: JsonValue = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if SURROGATE_ESCAPE.search(raw) or "infinity" in str(error):
            _name_the_unusable(raw)
        raise NotJson(f"The body is not JSON: {error}.") from None
    if b"\\u0000" in raw or (
        raw.count(b"{") + raw.count(b"[") > DEEPEST and _reaches_the_deepest(value)
    ):
        _check(value)
    if _has_a_large_number(raw) or raw.count(b":") != _count_names(value):
        # Slower, but it keeps whole numbers of any size and sees repeated names.
        value = json.loads(raw, object_pairs_hook=_unique)
    return value


def dumps(data: object, option: int = 0) -> bytes:
    """JSON with whole numbers of any size, which only Python's own encoder can write."""
    try:
        return orjson.dumps(data, option=option)
    except TypeError:
        text = json.dumps(
            data,
            default=partial(_as_orjson_would, option=option),
            ensure_ascii=False,
            separators=(",", ":"),
            sort_keys=bool(option & orjson.OPT_SORT_KEYS),
        )
        return text.encode() + (b"\n" if option & orjson.OPT_APPEND_NEWLINE else b"")


def stored_size(data: object) -> int:
    """How many bytes the JSON has where the database gives it back, without exponents or blanks."""
    return len(dumps(data)) + sum(_growths(data))


def is_larger(data: object, most: int) -> bool:
    """Whether the stored size is beyond `most`; small values are not looked through."""
    size = len(dumps(data))
    if size <= most < size * MOST_GROWTH:
        for growth in _growths(data):
            size += growth
            if size > most:
                return True
    return size > most


def _growths(root: object) -> Iterator[int]:
    """By how many bytes each very large or small number grows without its exponent."""
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(inner for inner in value.values() if isinstance(inner, MAY_GROW))
        elif isinstance(value, (list, tuple)):
            waiting.extend(inner for inner in value if isinstance(inner, MAY_GROW))
        elif isinstance(value, float) and value and not 1e-4 <= abs(value) < 1e16:
            yield len(format(Decimal(repr(value)), "f")) - len(orjson.dumps(value))


def _as_orjson_would(value: object, *, option: int) -> object:
    return json.loads(orjson.dumps(value, option=option))


def _name_the_unusable(raw: bytes) -> None:
    """Python's own parser accepts lone surrogates and large numbers, so they can be named."""
    try:
        # As floats, since Python refuses to make whole numbers of thousands of digits.
        value: JsonValue = json.loads(raw, parse_int=float, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return
    _check(value)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _has_a_large_number(raw: bytes) -> bool:
    digits = raw.translate(ALL_DIGITS_ALIKE)  # many times faster than the expression alone
    return b"0" * BEYOND_64_BITS in digits and WHOLE_NUMBER.search(raw) is not None


def _count_names(root: JsonValue) -> int:
    """How many names all objects have; fewer than the body has colons, if one is repeated."""
    found = 0
    waiting: list[JsonValue] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            found += len(value)
            waiting.extend(inner for inner in value.values() if isinstance(inner, (dict, list)))
        elif isinstance(value, list):
            waiting.extend(inner for inner in value if isinstance(inner, (dict, list)))
    return found


def _unique(pairs: list[tuple[str, JsonValue]]) -> JsonDict:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise BadJson(f"{name} must not be given twice in one object")
            seen.add(name)
    return entries


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
        if isinstance(value, float) and not isfinite(value):
            raise BadJson(f"{path or 'The body'} must not be a number beyond 1.8e308")


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
