"""One finding of the doctor."""

from collections.abc import Collection
from dataclasses import dataclass

MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What an examination found. A note is for a person to know, and no fault."""

    name: str
    message: str
    remedy: str = ""
    """What helps, in a sentence; "" where all is well."""
    note: bool = False

    @property
    def ok(self) -> bool:
        return not self.remedy or self.note


def some_of(names: Collection[str]) -> str:
    """The first of them, and how many more there are."""
    shown = ", ".join(list(names)[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
