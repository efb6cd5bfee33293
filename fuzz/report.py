"""What a person reads at the end: a table, and how to see each finding again."""

from collections.abc import Iterator

from benchmarks.results import table
from fuzz.run import Pass, Run

HEADS = ["role", "phase", "operations", "requests", "2xx", "failures"]
SHOWN = 10  # changes that a role may not make, of each pass
LONGEST = 2_000  # characters of a message


def report(run: Run) -> str:
    parts = [table(HEADS, [row for one in run.passes for row in rows(one)], markdown=False)]
    parts += [finding for one in run.passes for finding in findings(one)]
    parts += [f"{times} times in the log: {what}" for what, times in run.tracebacks.items()]
    return run.world.hidden("\n\n".join(parts))


def rows(one: Pass) -> Iterator[list[str]]:
    for name, phase in one.phases.items():
        numbers = (len(phase.operations), phase.cases, phase.done, phase.failures)
        yield [one.role, name, *map(str, numbers)]


def findings(one: Pass) -> Iterator[str]:
    for finding in one.findings.values():
        head = f"{one.role}: {finding.operation}: {finding.what}"
        said = [head, finding.message[:LONGEST], finding.request, finding.answer]
        yield "\n  ".join("\n".join(filter(None, said)).splitlines())
    for change in one.beyond[:SHOWN]:
        yield f"{one.role} has changed what it may not: {change}"
    if len(one.beyond) > SHOWN:
        yield f"{one.role}: and {len(one.beyond) - SHOWN} further changes"
