"""One run of the benchmark: what was asked for, and the coordinators that it measures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg

from benchmarks import machine
from benchmarks.coordinator import Coordinator, running
from coordinator_project.env import BASE_DIR

T = TypeVar("T")


@dataclass
class Run:
    """`product` is the checkout whose coordinator is measured, `folder` where it keeps its data.

    `quick`: everything once and briefly. `large`: tasks of the large queue.
    """

    folder: Path
    product: Path = BASE_DIR
    quick: bool = False
    rounds: int = 5
    seconds: float = 4.0
    large: int = 1_000_000
    ran_on: str = ""

    @contextmanager
    def coordinator(
        self, name: str, product: Path | None = None
    ) -> Iterator[tuple[Coordinator, psycopg.Connection]]:
        """A coordinator with a database of its own, and a connection to that."""
        with (
            running(self.folder / name, product or self.product) as coordinator,
            coordinator.connect() as db,
        ):
            self.ran_on = self.ran_on or machine.description(db)
            yield coordinator, db

    def turns(self, legs: Sequence[T]) -> Iterator[Sequence[T]]:
        """The legs of each round; every other round runs backwards."""
        for number in range(self.rounds):
            self.say(f"round {number + 1} of {self.rounds}")
            yield legs if number % 2 == 0 else legs[::-1]

    def say(self, text: str = "") -> None:
        print(text, flush=True)  # noqa: T201
