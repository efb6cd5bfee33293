"""What was measured: speeds, ratios, and how they are told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

from benchmarks.machine import OTHERS

AGENTS = 4
QUIET = 0.1  # of a core, for all other processes together


@dataclass(frozen=True)
class Speed:
    """How many cycles ended in how many seconds, of how many tasks each; whose share of a core was
    how large."""

    ended: int
    took: float
    batch: int
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def cycles(self) -> float:
        """Cycles a second."""
        return self.ended / self.took

    @property
    def tasks(self) -> float:
        return self.cycles * self.batch

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items())
        return f"{self.cycles:>9,.0f} cycles/s {self.tasks:>9,.0f} tasks/s   ({shares})"


@dataclass(frozen=True)
class Pair:
    """Work over HTTP and the same straight in SQL; `target` is the ratio to reach for."""

    key: str
    name: str
    batch: int
    target: float | None


PAIRS = (
    Pair("two", "two requests a cycle", 1, None),
    Pair("report", "one report a cycle", 1, 0.15),
    Pair("batch10", "report, batches of 10", 10, 0.35),
    Pair("batch50", "report, batches of 50", 50, 0.50),
)


@dataclass
class Ratios:
    """All rounds of one pair."""

    pair: Pair
    over_http: list[Speed] = field(default_factory=list)
    straight: list[Speed] = field(default_factory=list)

    @property
    def all(self) -> list[float]:
        rounds = zip(self.over_http, self.straight, strict=True)
        return [over_http.cycles / straight.cycles for over_http, straight in rounds]

    @property
    def median(self) -> float:
        return median(self.all)

    @property
    def is_missed(self) -> bool:
        return self.pair.target is not None and self.median < self.pair.target

    def row(self) -> list[str]:
        target = "" if self.pair.target is None else f"≥ {self.pair.target:.2f}"
        return [
            self.pair.name,
            f"{median(speed.tasks for speed in self.over_http):,.0f}",
            f"{median(speed.tasks for speed in self.straight):,.0f}",
            f"{min(self.all):.3f} to {max(self.all):.3f}",
            f"{self.median:.3f}",
            target,
            verdict(self.is_missed) if target else "",
        ]


def quietness(ratios: Sequence[Ratios]) -> str:
    """Whether other processes left the machine alone; where they did not, SQL suffers more."""
    legs = {id(speed): speed for one in ratios for speed in (*one.over_http, *one.straight)}
    disturbed = sum(speed.shares[OTHERS] > QUIET for speed in legs.values())
    if not disturbed:
        return f"The machine was quiet: other processes never took more than {QUIET:.0%} of a core."
    return (
        f"THE MACHINE WAS NOT QUIET: in {disturbed} of {len(legs)} legs other processes took more "
        f"than {QUIET:.0%} of a core, which flatters HTTP."
    )


RATIO_HEADS = [
    "cycle",
    "HTTP, tasks/s",
    "SQL, tasks/s",
    "rounds",
    "median ratio",
    "target",
    "",
]


@dataclass(frozen=True)
class Growth:
    """The median time of one kind of claim, in milliseconds, on a small and on a large line."""

    LARGEST = 1.5

    name: str
    small: float
    large: float

    @property
    def ratio(self) -> float:
        return self.large / self.small

    @property
    def is_missed(self) -> bool:
        return self.ratio > self.LARGEST

    def row(self) -> list[str]:
        return [
            self.name,
            f"{self.small:.2f}",
            f"{self.large:.2f}",
            f"{self.ratio:.2f}",
            f"≤ {self.LARGEST}",
            verdict(self.is_missed),
        ]


@dataclass(frozen=True)
class Finding:
    """One thing that was measured, and, where there is one, the target it is set against."""

    name: str
    value: str
    target: str = ""
    is_missed: bool = False

    def row(self) -> list[str]:
        told = verdict(self.is_missed) if self.target else ""
        return [self.name, self.value, self.target, told]


FINDING_HEADS = ["sweep", "", "target", ""]


class Row(Protocol):
    """What a table has a line for."""

    @property
    def is_missed(self) -> bool:
        """Whether it has a target and misses it."""

    def row(self) -> list[str]:
        """The cells of its line."""


def verdict(is_missed: bool) -> str:
    return "missed" if is_missed else "met"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, markdown: bool) -> str:
    """The rows below their heads, in columns."""
    cells = [list(heads), *map(list, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    padded.insert(1, ["-" * width for width in widths])
    if markdown:
        return "\n".join(f"| {' | '.join(row)} |" for row in padded)
    return "\n".join("  ".join(row).rstrip() for row in padded)
