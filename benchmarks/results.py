"""What was measured, and how it is printed: speeds, ratios and single findings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

from benchmarks.machine import OTHERS

AGENTS = 4
QUIET = 0.1  # of a core, for all other processes together


class Row(Protocol):
    """A line of a table."""

    @property
    def is_missed(self) -> bool:
        """Whether it has a target and misses it."""

    def row(self) -> list[str]:
        """Its cells."""


@dataclass(frozen=True)
class Section:
    """One table of the result, and what to say below it."""

    heads: Sequence[str]
    rows: Sequence[Row]
    note: str = ""

    @property
    def is_missed(self) -> bool:
        return any(row.is_missed for row in self.rows)

    def text(self, *, markdown: bool) -> str:
        shown = table(self.heads, [row.row() for row in self.rows], markdown=markdown)
        return f"{shown}\n\n{self.note}" if self.note else shown


@dataclass(frozen=True)
class Speed:
    """How many cycles ended in how many seconds, of how many tasks each; `shares` of a core by
    process."""

    ended: int
    seconds: float
    batch: int
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def cycles(self) -> float:
        """Cycles a second."""
        return self.ended / self.seconds

    @property
    def tasks(self) -> float:
        """Tasks a second."""
        return self.cycles * self.batch

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items())
        return f"{self.cycles:>9,.0f} cycles/s {self.tasks:>9,.0f} tasks/s   ({shares})"


@dataclass
class SpeedRatio:
    """All rounds of a cycle, and of the `reference` it is compared with. `at_least` is the target
    for the median ratio."""

    name: str
    at_least: float | None = None
    speeds: list[Speed] = field(default_factory=list)
    reference: list[Speed] = field(default_factory=list)

    @property
    def rounds(self) -> list[float]:
        pairs = zip(self.speeds, self.reference, strict=True)
        return [speed.cycles / reference.cycles for speed, reference in pairs]

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def is_missed(self) -> bool:
        return self.at_least is not None and self.median < self.at_least

    def row(self) -> list[str]:
        return [
            self.name,
            f"{median(speed.tasks for speed in self.speeds):,.0f}",
            f"{median(speed.tasks for speed in self.reference):,.0f}",
            f"{min(self.rounds):.3f} to {max(self.rounds):.3f}",
            f"{self.median:.3f}",
            "" if self.at_least is None else f"≥ {self.at_least:.2f}",
            "" if self.at_least is None else verdict(self.is_missed),
        ]


def speed_heads(measured: str, reference: str) -> list[str]:
    """The heads of a table of speed ratios."""
    return ["cycle", f"{measured}, tasks/s", f"{reference}, tasks/s", *RATIO_HEADS]


RATIO_HEADS = ["rounds", "median ratio", "target", ""]


@dataclass(frozen=True)
class TimeRatio:
    """The median time of something, in milliseconds, in an easy and in a hard situation."""

    name: str
    easy: float
    hard: float
    at_most: float = 1.5

    @property
    def ratio(self) -> float:
        return self.hard / self.easy

    @property
    def is_missed(self) -> bool:
        return self.ratio > self.at_most

    def row(self) -> list[str]:
        return [
            self.name,
            f"{self.easy:.2f}",
            f"{self.hard:.2f}",
            f"{self.ratio:.2f}",
            f"≤ {self.at_most}",
            verdict(self.is_missed),
        ]


def time_heads(name: str, easy: str, hard: str) -> list[str]:
    """The heads of a table of time ratios."""
    return [name, f"{easy}, ms", f"{hard}, ms", "ratio", "target", ""]


@dataclass(frozen=True)
class Finding:
    """One measured value, and its target where there is one."""

    name: str
    value: str
    target: str = ""
    is_missed: bool = False

    def row(self) -> list[str]:
        return [self.name, self.value, self.target, verdict(self.is_missed) if self.target else ""]


def finding_heads(name: str) -> list[str]:
    """The heads of a table of findings."""
    return [name, "", "target", ""]


def quietness(ratios: Sequence[SpeedRatio]) -> str:
    """Whether other processes left the machine alone; where they did not, SQL suffers more."""
    legs = {id(speed): speed for one in ratios for speed in (*one.speeds, *one.reference)}
    disturbed = sum(speed.shares[OTHERS] > QUIET for speed in legs.values())
    if not disturbed:
        return f"The machine was quiet: other processes never took more than {QUIET:.0%} of a core."
    return (
        f"THE MACHINE WAS NOT QUIET: in {disturbed} of {len(legs)} legs other processes took more "
        f"than {QUIET:.0%} of a core, which flatters HTTP."
    )


def percentile(ordered: Sequence[float], part: float) -> float:
    """The value below which this part of them lies; infinite where there is none."""
    if not ordered:
        return float("inf")
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


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
