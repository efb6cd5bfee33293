"""Which part of a file a request asks for, and whether its client has it already (RFC 9110)."""

import re
from dataclasses import dataclass

RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `start` up to `end`."""

    start: int
    end: int


class NotThere(Exception):
    """The file has nothing in this range."""


def part_of(header: str, size: int) -> Part | None:
    """The range that a request asks for; None for the whole, also where it asks for several.

    Raises NotThere.
    """
    asked = RANGE.fullmatch(header)
    if asked is None:
        return None
    first, last, suffix = asked.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
        if not int(suffix):
            raise NotThere
    else:
        start, end = int(first), size
        if last and int(last) < start:
            return None  # no range at all
        if last:
            end = min(size, int(last) + 1)
    if start >= size:
        raise NotThere
    return Part(start, end)


def names(header: str, etag: str) -> bool:
    """Whether If-None-Match names this version, weakly or not."""
    given = [one.strip().removeprefix("W/") for one in header.split(",")]
    return header.strip() == "*" or etag in given


def is_still(header: str, etag: str) -> bool:
    """Whether If-Range, where there is one, names this version; a date does not say enough."""
    return not header or header.strip() == etag
