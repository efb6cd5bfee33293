"""The grid of a sweep: axes with their values, and all combinations in order.

The count is computed without building anything, so a grid that is too large is refused cheaply.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Protocol

from api.body import JsonDict, JsonValue, stored_size

# The last step may pass the top by this share: decimals that a client added up are not exact.
SLACK = Fraction(1, 10**9)
LARGEST = Fraction(sys.float_info.max)
COUNTLESS = 10**15
"""Combinations are counted up to here: beyond, their number may be too long to print."""


class Axis(Protocol):
    """One parameter and the values that it takes."""

    @property
    def name(self) -> str: ...

    @property
    def count(self) -> int:
        """The number of values."""

    def values(self) -> Iterator[JsonValue]: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """The values as the request lists them."""

    name: str
    items: tuple[JsonValue, ...]

    @property
    def count(self) -> int:
        return len(self.items)

    def values(self) -> Iterator[JsonValue]:
        return iter(self.items)


@dataclass(frozen=True, slots=True)
class WholeNumbers:
    """From `least` to `most`, both included, by `step`."""

    name: str
    least: int
    most: int
    step: int

    @property
    def count(self) -> int:
        return max((self.most - self.least) // self.step + 1, 0)

    def values(self) -> Iterator[JsonValue]:
        return iter(range(self.least, self.most + 1, self.step))


@dataclass(frozen=True, slots=True)
class Floats:
    """The same for decimal numbers: 0.1, 0.2, 0.3, not 0.30000000000000004."""

    name: str
    least: float
    most: float
    step: float

    @property
    def count(self) -> int:
        steps = (_exact(self.most) - _exact(self.least)) / _exact(self.step)
        return max((steps + SLACK) // 1 + 1, 0)

    def values(self) -> Iterator[JsonValue]:
        least, step = _exact(self.least), _exact(self.step)
        return (float(min(least + place * step, LARGEST)) for place in range(self.count))


def _exact(number: float) -> Fraction:
    return Fraction(Decimal(repr(number)))


@dataclass(frozen=True, slots=True)
class Grid:
    """The axes in the order of submission; the first is the outermost."""

    axes: tuple[Axis, ...]

    @property
    def count(self) -> int:
        """The number of combinations; COUNTLESS + 1 if there are more than COUNTLESS."""
        count = 1
        for axis in self.axes:
            count *= axis.count
            if count > COUNTLESS:
                return COUNTLESS + 1
        return count

    def combinations(self) -> Iterator[JsonDict]:
        """All combinations as values by name; the last axis changes fastest."""
        names = [axis.name for axis in self.axes]
        for values in product(*(list(axis.values()) for axis in self.axes)):
            yield dict(zip(names, values, strict=True))

    def largest(self) -> int:
        """The size of the largest combination as stored JSON, in bytes."""
        return sum(
            len(axis.name) + max(stored_size(value) for value in axis.values()) + 4
            for axis in self.axes
        )
