"""What a person sees of a sweep at its end: all results, the best ones, and what was checked."""

from collections.abc import Sequence

from rich.table import Table

from benchmarks.demo.grid import AGENTS, ALGORITHMS, DIMENSIONS, FUNCTIONS, ITERATIONS, point
from benchmarks.demo.show import mark
from benchmarks.demo.sweep_verdict import GOOD_ENOUGH, Run, SweepVerdict, fopt, is_easy
from benchmarks.demo.wire import Body, number, text


def results(rows: Sequence[Body]) -> Table:
    """Every result: a line for each setting, a column for each number of iterations."""
    values = {point(row): fopt(row) for row in rows}
    shown = Table(title="Results: what each run came to", min_width=80)
    for name in ("Algorithm", "Function", "Agents", "Dimension"):
        shown.add_column(name)
    for iterations in ITERATIONS:
        shown.add_column(f"{iterations} iterations", justify="right")
    for algorithm in ALGORITHMS:
        for function in FUNCTIONS:
            for agents in AGENTS:
                for dimension in DIMENSIONS:
                    cells = [
                        _value(values.get((algorithm, function, iterations, agents, dimension)))
                        for iterations in ITERATIONS
                    ]
                    shown.add_row(algorithm, function, str(agents), str(dimension), *cells)
        shown.add_section()
    return shown


def best(rows: Sequence[Body]) -> Table:
    shown = Table("Function", "Best", "By", title="Best per function", min_width=80)
    for function in FUNCTIONS:
        runs = [row for row in rows if text(row, "function") == function]
        if runs:
            first = min(runs, key=fopt)
            algorithm, _, iterations, agents, dimension = point(first)
            by = f"{algorithm}, {iterations} iterations, {agents} agents, dimension {dimension}"
            shown.add_row(function, _value(fopt(first)), by)
    return shown


def summary(run: Run, found: SweepVerdict, took: float) -> Table:
    workers = {text(row, "assignedTo") for row in run.results}
    easy = [fopt(row) for row in run.results if is_easy(row)]
    counters = f"{number(run.job, 'completedTasks')} done, {number(run.job, 'failedTasks')} failed"
    shown = Table("What", "Came out", title="Coordinator: sweep", min_width=80)
    shown.add_row("Tasks", counters)
    shown.add_row("Workers", f"{len(workers)}; {run.killed} killed, {run.replacement} in its place")
    shown.add_row("Done in", f"{took:.1f} s")
    shown.add_row("Tasks taken back", str(found.taken_back))
    shown.add_row(
        "PSO on the sphere in 2 dimensions", f"at worst {_value(max(easy, default=None))}"
    )
    shown.add_section()
    shown.add_row("Counters", mark(found.counters))
    shown.add_row("One result for each point of the grid", mark(found.grid))
    shown.add_row("Nothing done twice", mark(found.once))
    shown.add_row("Done by others after the death", mark(found.death))
    shown.add_row(f"Results as worked out again, and below {GOOD_ENOUGH:g}", mark(found.results))
    return shown


def _value(found: float | None) -> str:
    return "" if found is None else f"{found:.3g}"
