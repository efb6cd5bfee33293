"""One run of the benchmark: what was asked for, and the coordinators that it measures."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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

    `quick`: everything once and briefly. `large`: tasks of the large queue. `log_megabytes` and
    `file_mebibytes`: of what a command leaves; `searched_files`: of a tree.
    """

    folder: Path
    product: Path = BASE_DIR
    quick: bool = False
    rounds: int = 5
    seconds: float = 4.0
    large: int = 1_000_000
    log_megabytes: int = 100
    file_mebibytes: int = 1024
    searched_files: int = 50_000
    ran_on: str = ""
    first_runs: dict[Path, Path] = field(default_factory=dict)

    @contextmanager
    def coordinator(
        self, name: str, product: Path | None = None
    ) -> Iterator[tuple[Coordinator, psycopg.Connection]]:
        """A coordinator with a database of its own, and a connection to that."""
        product = product or self.product
        folder = self.folder / name
        # With owners and modes. All migrations take longer than many a measurement.
        copy = ["/bin/cp", "-a", str(self._first_run(product)), str(folder)]
        subprocess.run(copy, check=True)  # noqa: S603
        with (
            running(folder, product) as coordinator,
            coordinator.connect() as db,
        ):
            self.ran_on = self.ran_on or machine.description(db)
            yield coordinator, db

    def _first_run(self, product: Path) -> Path:
        """The data folder of a coordinator of this checkout that ran once."""
        if product not in self.first_runs:
            folder = self.folder / f"first-run-{len(self.first_runs)}"
            with running(folder, product):
                self.first_runs[product] = folder
        return self.first_runs[product]

    def turns(self, legs: Sequence[T]) -> Iterator[Sequence[T]]:
        """The legs of each round; every other round runs backwards."""
        for number in range(self.rounds):
            self.say(f"round {number + 1} of {self.rounds}")
            yield legs if number % 2 == 0 else legs[::-1]

    def say(self, text: str = "") -> None:
        print(text, flush=True)  # noqa: T201
