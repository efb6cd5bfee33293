"""What became of a run: the violations of every check, and a table of it all."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.results import table
from chaos import logs, plan
from chaos.checks import CHECKS
from chaos.history import History, number
from chaos.run import CYCLE, Made, Run

HEADS = ["fault", "times", "well again, median", "longest", "passes, longest"]
HEALTH_WITHIN = 100.0  # milliseconds; measured, not judged: the machine may be busy
SHOWN = 5  # findings of each check


@dataclass(frozen=True)
class Verdict:
    """What was found wrong, by check; all of them are named."""

    violations: Mapping[str, Sequence[str]]

    @property
    def is_clean(self) -> bool:
        return not any(self.violations.values())


def judge(run: Run) -> Verdict:
    found = {name: list(check(run.found)) for name, check in CHECKS.items()}
    return Verdict(
        {
            **found,
            f"well again within {run.options.within:.0f} s": list(slow(run)),
            "one goes on alone": list(alone(run)),
            "coordinators stay up": run.surprises,
            "health/details at the end": run.ill,
            "no traceback in the logs": [
                f"{times} times: {what}"
                for what, times in logs.tracebacks(run.server_logs).most_common()
            ],
            "the run itself": [*run.world.failures, *unmade(run.made)],
        }
    )


def slow(run: Run) -> Iterator[str]:
    limit = run.options.within
    for made in run.made:
        if made.well_after is None:
            yield f"{made.fault}: claims and completions did not succeed again"
        elif made.well_after > limit:
            yield f"{made.fault}: claims and completions after {made.well_after:.1f} s"
        if made.loop_after is None:
            yield f"{made.fault}: no pass of the loop was seen again"
        elif made.loop_after > limit + CYCLE:
            yield f"{made.fault}: the passes of the loop after {made.loop_after:.1f} s"


def alone(run: Run) -> Iterator[str]:
    """What the first coordinator did not do while only the second was broken."""
    limit = run.options.within
    for made in run.made:
        if plan.of_b(made.fault.hits) and made.fault.seconds > limit + CYCLE:
            if (made.served_after or made.fault.seconds) > limit:
                yield f"{made.fault}: a served nothing within {limit:.0f} s"
            if (made.led_after or made.fault.seconds) > limit + CYCLE:
                yield f"{made.fault}: nobody led within {limit:.0f} s"


def unmade(made: Sequence[Made]) -> list[str]:
    return [f"{one.fault} was not made: {one.problem}" for one in made if one.problem]


def report(run: Run, verdict: Verdict) -> str:
    """The tables that a person reads at the end."""
    parts = [
        table(HEADS, by_kind(run), markdown=False),
        table(["seen by members", ""], seen(run.found, run), markdown=False),
        table(["check", ""], checked(verdict), markdown=False),
    ]
    said = logs.errors(run.server_logs)
    if said:
        counts = [[event, f"{times:,}"] for event, times in said.most_common()]
        parts.append(table(["errors in the logs", ""], counts, markdown=False))
    parts += [f"Left out: {what}." for what in run.left_out]
    return "\n\n".join(parts)


def by_kind(run: Run) -> Iterator[list[str]]:
    for kind in dict.fromkeys(made.fault.kind for made in run.made):
        of_kind = [made for made in run.made if made.fault.kind == kind]
        well = [made.well_after for made in of_kind if made.well_after is not None]
        loop = [made.loop_after for made in of_kind if made.loop_after is not None]
        yield [
            kind,
            f"{len(of_kind)}",
            f"{median(well):.1f} s" if well else "",
            f"{max(well):.1f} s" if len(well) == len(of_kind) else "never",
            f"{max(loop):.1f} s" if len(loop) == len(of_kind) else "never",
        ]


def seen(history: History, run: Run) -> Iterator[list[str]]:
    whats = Counter(str(line["what"]) for lines in history.logs.values() for line in lines)
    statuses = Counter(str(line["status"]) for _, line in history.every("answered"))
    ended = Counter(f"{line['outcome']}: {line['verdict']}" for _, line in history.every("ended"))
    yield ["requests", f"{whats['sent']:,}"]
    yield ["- without an answer", f"{whats['unanswered']:,}"]
    for status, times in sorted(statuses.items()):
        yield [f"- answered {status}", f"{times:,}"]
    for outcome, times in sorted(ended.items()):
        yield [outcome, f"{times:,}"]
    yield ["tasks", f"{len(history.tables.tasks):,}"]
    for status, times in sorted(Counter(t.status for t in history.tables.tasks.values()).items()):
        yield [f"- {status}", f"{times:,}"]
    yield ["open at the end, and not blocked", f"{run.open_tasks:,}"]
    yield ["dead letters for lost agents", f"{dead_letters(history, 'agents_lost'):,}"]
    yield ["dead letters for expired leases", f"{dead_letters(history, 'lease_expired'):,}"]
    yield ["vanished agents", f"{whats['away']:,}"]
    yield ["sweeps", f"{len(history.tables.jobs):,}"]
    yield ["events", f"{len(history.tables.events):,}"]
    yield ["streams opened", f"{whats['opened']:,}"]
    took = [number(line, "milliseconds") for _, line in history.every("health") if line["status"]]
    if took:
        late = sum(milliseconds > HEALTH_WITHIN for milliseconds in took)
        yield ["health, median and longest", f"{median(took):.1f} and {max(took):.1f} ms"]
        yield [f"- after more than {HEALTH_WITHIN:.0f} ms", f"{late:,} of {len(took):,}"]


def dead_letters(history: History, reason: str) -> int:
    return sum(task.dead_letter == reason for task in history.tables.tasks.values())


def checked(verdict: Verdict) -> Iterator[list[str]]:
    for name, found in verdict.violations.items():
        yield [name, f"{len(found):,} violations" if found else "ok"]
        for what in found[:SHOWN]:
            yield ["", what]
