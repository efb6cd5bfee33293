"""What a person sees of a sweep at its end: all results, the best ones, and what was checked."""

from collections.abc import Sequence
from itertools import product

from rich.table import Table

from benchmarks.demo.grid import AGENTS, ALGORITHMS, DIMENSIONS, FUNCTIONS, ITERATIONS, point
from benchmarks.demo.show import mark
from benchmarks.demo.sweep_verdict import GOOD_ENOUGH, SweepRun, SweepVerdict, fopt, is_easy
from benchmarks.demo.wire import Body, number, text


def results(rows: Sequence[Body]) -> Table:
    """Every result: a line for each setting, a column for each number of iterations."""
    values = {point(row): fopt(row) for row in rows}
    # Without lines, which would leave too little room on a screen of 80 columns.
    shown = Table(title="Results by number of iterations", box=None, padding=(0, 2, 0, 0))
    for name in ("Function", "By", "Agents", "Dim."):
        shown.add_column(name, no_wrap=True)
    for iterations in ITERATIONS:
        shown.add_column(str(iterations), justify="right", no_wrap=True)
    for function in FUNCTIONS:
        for setting in product(ALGORITHMS, AGENTS, DIMENSIONS):
            algorithm, agents, dimension = setting
            cells = [
                _value(values.get((algorithm, function, iterations, agents, dimension)))
                for iterations in ITERATIONS
            ]
            shown.add_row(function, *map(str, setting), *cells)
    return shown


def best(rows: Sequence[Body]) -> Table:
    """The best results, one for each function."""
    shown = Table("Function", "Best", "By", title="Best per function", min_width=80)
    for row in rows:
        algorithm, function, iterations, agents, dimension = point(row)
        by = f"{algorithm}, {iterations} iterations, {agents} agents, dimension {dimension}"
        shown.add_row(str(function), _value(fopt(row)), by)
    return shown


def summary(run: SweepRun, found: SweepVerdict, took: float) -> Table:
    workers = {text(row, "assignedTo") for row in run.results}
    easy = [fopt(row) for row in run.results if is_easy(row)]
    counters = f"{number(run.job, 'completedTasks')} done, {number(run.job, 'failedTasks')} failed"
    shown = Table("What", "Came out", title="Coordinator: sweep", min_width=80)
    shown.add_row("Tasks", counters)
    shown.add_row("Workers", f"{len(workers)}; {run.killed} killed, {run.replacement} in its place")
    shown.add_row("Done in", f"{took:.1f} s")
    shown.add_row("Tasks taken back", str(found.taken_back))
    shown.add_row("PSO, sphere, 2 dimensions", f"at worst {_value(max(easy, default=None))}")
    shown.add_section()
    shown.add_row("Counters", mark(found.counters))
    shown.add_row("One result for each point", mark(found.grid))
    shown.add_row("Nothing done twice", mark(found.once))
    shown.add_row("Done by others after a death", mark(found.death))
    shown.add_row(f"As worked out here; PSO < {GOOD_ENOUGH:g}", mark(found.results))
    return shown


def _value(found: float | None) -> str:
    if found is None:
        return ""
    return f"{found:.1e}" if found == 0 or abs(found) > 1e-99 else f"{found:.0e}"
