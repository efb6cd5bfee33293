"""What the database cannot store, in texts that are only passed on: replaced where people see it.

A body with NUL or half of a surrogate pair is refused. Where a serializer has texts that it only
passes on, the body is read with marks in their place instead: such a text shows the marks, and any
other field that has one is still refused, by its name.
"""

import re
from collections.abc import Iterator

from api import body
from api.body import JsonDict, JsonValue
from problems import Invalid

NUL, HALF = "\ufdd0", "\ufdd1"  # no characters of any language, so no text has them
SHOWN = str.maketrans({NUL: "\N{SYMBOL FOR NULL}", HALF: "\N{REPLACEMENT CHARACTER}"})
MARK = re.compile(f"[{NUL}{HALF}]")
ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
TAKEN = re.compile(rb"\\ufdd[01]|\xef\xb7[\x90\x91]", re.IGNORECASE)


class Marked(dict[str, JsonValue]):
    """An object in which something was replaced by a mark."""


def parse(raw: bytes) -> JsonValue:
    """Parse a body; one that cannot be stored as it is comes `Marked`."""
    try:
        return body.parse(raw)
    except Invalid:
        if TAKEN.search(raw):
            raise
        marked = ESCAPES.sub(_mark, raw)
        if marked == raw:
            raise
        value = body.parse(marked)
        if not isinstance(value, dict):
            raise
        return Marked({name: _items(inner) for name, inner in value.items()})


def _mark(escape: re.Match[bytes]) -> bytes:
    """An escape as it is, or a mark if what it stands for cannot be stored."""
    text = escape[0].lower()
    if text == rb"\u0000":
        return rb"\ufdd0"
    return rb"\ufdd1" if len(text) == 6 and b"\\ud800" <= text <= b"\\udfff" else escape[0]


def _items(value: JsonValue) -> JsonValue:
    if not isinstance(value, list):
        return value
    return [Marked(item) if isinstance(item, dict) and _has(item) else item for item in value]


def _has(value: JsonValue) -> bool:
    return next(_places(value), None) is not None


def _places(value: JsonValue) -> Iterator[str]:
    texts = ((path, text) for path, _, text in body.walk(value) if isinstance(text, str))
    return (path for path, text in texts if MARK.search(text))


def shown(value: JsonValue) -> JsonValue:
    """The value with its marks as people see them."""
    match value:
        case str():
            return value.translate(SHOWN)
        case list():
            return [shown(item) for item in value]
        case dict():
            return {name.translate(SHOWN): shown(inner) for name, inner in value.items()}
    return value


def settled(
    data: Marked,
    passed: frozenset[str],
    apart: frozenset[str],
    incidental: frozenset[str] = frozenset(),
) -> tuple[JsonDict, dict[str, Invalid]]:
    """The object with its marks shown in the fields that are passed on, and left in those `apart`.

    With it, by name in lower case, why an incidental field was left out. A mark anywhere else is
    refused.
    """
    settled_: JsonDict = {}
    left_out: dict[str, Invalid] = {}
    for name, value in data.items():
        field = name.lower()
        place = None if field in passed | apart else next(_places({name: value}), None)
        if place is None:
            settled_[name] = value if field in apart else shown(value)
            continue
        where = place.translate(SHOWN)
        refusal = Invalid(f"{where} must not contain NUL or half of a surrogate pair")
        if field not in incidental:
            raise refusal
        left_out[field] = refusal
    return settled_, left_out


def unmarked(data: JsonValue) -> JsonValue:
    """A body none of whose texts is only passed on: one with a mark is refused."""
    return settled(data, frozenset(), frozenset())[0] if isinstance(data, Marked) else data
