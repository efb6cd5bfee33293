"""What a person sees: how far the work is, and at the end a table."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.demo.fleet import DemoFleet
from benchmarks.demo.verdict import DemoVerdict
from benchmarks.demo.work import Plan

STEPS = 20  # of progress that are printed where there is no terminal for a bar


class Bar:
    """Progress of a run: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.total = total
        self.shown = 0
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.bar = self.progress.add_task("Tasks done", total=total)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()

    def show(self, done: int) -> None:
        self.progress.update(self.bar, completed=done)
        part = done * STEPS // self.total
        if part > self.shown and not self.console.is_terminal:
            self.shown = part
            self.console.print(f"{done} of {self.total} tasks done.")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that the parts of a run took."""

    enqueue: float
    work: float
    check: float


def table(plan: Plan, fleet: DemoFleet, verdict: DemoVerdict, times: Times) -> Table:
    megabytes = sum(file.size for file in plan.files.values()) / 1e6
    steps = sum(len(tasks) for tasks in plan.chains.values())
    shown = Table("What", "Came out", title="Coordinator: demonstration", min_width=60)
    shown.add_row("Tasks", f"{plan.total}: {len(plan.files)} files ({megabytes:.1f} MB)")
    shown.add_row("", f"{steps} steps in {len(plan.chains)} chains")
    shown.add_row("Agents", _and(f"{len(fleet.members)} processes", fleet.deaths, "killed"))
    shown.add_row("Enqueued in", f"{times.enqueue:.2f} s")
    shown.add_row("Done in", f"{times.work:.2f} s")
    shown.add_row("Tasks per second", f"{plan.total / times.work:.0f}", style="bold")
    shown.add_row("Requests sent again", str(fleet.interruptions))
    shown.add_row("Tasks taken back", str(verdict.taken_back))
    shown.add_section()
    shown.add_row(f"Results as by hashlib ({times.check:.2f} s)", mark(verdict.results))
    shown.add_row("Nothing done twice", mark(verdict.once))
    shown.add_row("Chain order", mark(verdict.order))
    owners = f" ({verdict.owners} ownerships)"
    shown.add_row("One owner at a time", mark(verdict.ownership) + owners)
    return shown


def _and(text: str, count: int, what: str) -> str:
    return f"{text}, {count} {what}" if count else text


def mark(complaints: list[str]) -> str:
    return f"[red]{len(complaints)} wrong[/red]" if complaints else "[green]ok[/green]"
