"""The ids of the journal that have not been seen although higher ones have.

Ids are handed out before commit: a missing id belongs to a transaction that is still running or has
been rolled back. After a while it is taken as rolled back.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing ids, from `low` to `high`, and since when."""

    low: int
    high: int
    since: float


class Gaps:
    """All ids up to `highest` have been seen or taken as rolled back, except those in `missing`."""

    def __init__(self, highest: int) -> None:
        self.highest = highest
        self.missing: list[Gap] = []

    @property
    def low_water(self) -> int:
        """The highest id up to which nothing is missing."""
        return self.missing[0].low - 1 if self.missing else self.highest

    def see(self, ids: Iterable[int], now: float) -> None:
        """Note the ids that were read, in ascending order."""
        for number in ids:
            if number > self.highest:
                self.skip(self.highest + 1, number - 1, now)
                self.highest = number
            else:
                self._fill(number)

    def skip(self, low: int, high: int, now: float) -> None:
        """Note missing ids, above all those known."""
        if low <= high:
            self.missing.append(Gap(low, high, now))
        self.highest = max(self.highest, high)

    def forget(self, before: float) -> None:
        """Take as rolled back what has been missing since `before` or longer."""
        kept = 0
        # The lower an id, the longer it has been missing.
        while kept < len(self.missing) and self.missing[kept].since <= before:
            kept += 1
        del self.missing[:kept]

    def _fill(self, number: int) -> None:
        at = bisect_right(self.missing, number, key=attrgetter("low")) - 1
        if at < 0 or self.missing[at].high < number:
            return
        gap = self.missing[at]
        rest = (Gap(gap.low, number - 1, gap.since), Gap(number + 1, gap.high, gap.since))
        self.missing[at : at + 1] = [part for part in rest if part.low <= part.high]
