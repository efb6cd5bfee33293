"""The faults that there are, in an order that a seed decides."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TABLES = ("tasks_task", "agents_agent", "chains_chain", "jobs_job", "events_event")

# What each kind may hit. `a` has the embedded database, `b` reaches it through the proxy.
HITS: dict[str, Sequence[str]] = {
    "kill": (
        "a http",
        "b http",
        "a maintenance",
        "b maintenance",
        "postmaster",
        "supervisor",
        "supervisor and postmaster",
        "a serve",
        "b serve",
        "everything",
    ),
    "terminate": ("some", "all"),
    "cut": ("b once", "b for a while"),
    "blackhole": ("b", "b leading"),
    "delay": ("b",),
    "stop": (
        "a http",
        "b http",
        "a maintenance",
        "b maintenance",
        "backend",
        "postgres",
        "supervisor",
    ),
    "lock": TABLES,
    "rows": ("tasks", "chains", "agents"),
    "snapshot": ("held",),
    "taken": ("connections",),
    "readonly": ("database",),
    "disk": ("full", "full for the log"),
}
KINDS = tuple(HITS)
AT_ONCE = {"kill", "terminate"}  # these have no length


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its kind, what it hits, how long it lasts, and the quiet time after it."""

    kind: str
    hits: str
    seconds: float
    pause: float
    draw: float  # decides further choices, from 0 to 1

    def __str__(self) -> str:
        lasts = f" for {self.seconds:.0f} s" if self.seconds else ""
        return f"{self.kind} {self.hits}{lasts}"


def plan(seed: int, kinds: Sequence[str], longest: float, servers: int) -> Iterator[Fault]:
    """Faults without end, the same for the same arguments. Each comes once before any comes
    again."""
    chance = random.Random(f"{seed} plan")  # noqa: S311
    names = [(kind, hits) for kind in kinds for hits in HITS[kind] if servers > 1 or not of_b(hits)]
    while names:
        chance.shuffle(names)
        for kind, hits in names:
            seconds = chance.uniform(min(2.0, longest), longest)
            pause = chance.uniform(0.5, 3.0)
            lasts = 0.0 if kind in AT_ONCE or hits == "b once" else round(seconds, 1)
            yield Fault(kind, hits, lasts, round(pause, 1), chance.random())


def of_b(hits: str) -> bool:
    return hits.split()[0] == "b"
