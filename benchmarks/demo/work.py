"""What there is to do: a digest for every file of the standard library, and chains of steps."""

import hashlib
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from benchmarks.demo.wire import Body, Wire, inner, rows, text

CHAINS = 3
STEPS = 12
HAND_OVER_EVERY = 4  # steps after which an agent gives its chain up
LARGEST_LIST = 1000  # tasks that one request may add
NOT_LIBRARY = frozenset({"site-packages", "dist-packages", "__pycache__"})


@dataclass(frozen=True, slots=True)
class File:
    """A file to read; `name` is how the standard library calls it."""

    path: Path
    name: str
    size: int


@dataclass
class Plan:
    """The tasks of one run, as the coordinator names them."""

    channel_id: str
    files: dict[str, File] = field(default_factory=dict)
    chains: dict[str, list[str]] = field(default_factory=dict)  # a chain's tasks, in order

    @property
    def total(self) -> int:
        return len(self.files) + sum(len(steps) for steps in self.chains.values())


def library(most: int | None) -> list[File]:
    """Every Python file of the standard library, by name; the first `most` of them."""
    top = Path(sysconfig.get_path("stdlib"))
    paths = sorted(
        path
        for path in top.rglob("*.py")
        if NOT_LIBRARY.isdisjoint(path.relative_to(top).parts) and path.is_file()
    )
    return [
        File(path, path.relative_to(top).as_posix(), path.stat().st_size) for path in paths[:most]
    ]


def digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def link(chain_id: str, sequence: int, before: str) -> str:
    """The result of a step; it follows from that of the step before it, if there is one."""
    return hashlib.sha256(f"{chain_id} {sequence} {before}".encode()).hexdigest()


def enqueue(wire: Wire, files: list[File]) -> Plan:
    """Make a new channel and fill it: files in lists, and a chain after each part of them.

    Sent again, a list is known by its keys. A chain made twice leaves an empty one behind.
    """
    run = uuid4().hex[:12]
    channel = wire.post("/v1/channels", {"name": f"demo {run}"})
    plan = Plan(text(inner(channel, "channel"), "id"))
    part = -(-len(files) // (CHAINS + 1)) or 1
    for number in range(CHAINS + 1):
        mine = files[number * part : (number + 1) * part]
        for start in range(0, len(mine), LARGEST_LIST):
            _enqueue_files(wire, plan, run, mine[start : start + LARGEST_LIST])
        if number < CHAINS:
            _enqueue_chain(wire, plan, run, f"steps {number + 1}")
    return plan


def _enqueue_files(wire: Wire, plan: Plan, run: str, files: list[File]) -> None:
    tasks: list[Body] = [
        {
            "channel_id": plan.channel_id,
            "title": file.name,
            "payload": {"path": str(file.path), "size": file.size},
            "idempotency_key": f"{run} {file.name}"[-200:],
        }
        for file in files
    ]
    made = rows(wire.post("/v1/tasks", [*tasks]), "tasks")
    plan.files |= {text(task, "id"): file for task, file in zip(made, files, strict=True)}


def _enqueue_chain(wire: Wire, plan: Plan, run: str, name: str) -> None:
    new: Body = {"channel_id": plan.channel_id, "name": name}
    chain_id = text(inner(wire.post("/v1/chains", new), "chain"), "id")
    tasks: list[Body] = [
        {
            "channel_id": plan.channel_id,
            "chain_id": chain_id,
            "title": f"{name}: step {sequence}",
            "sequence": sequence,
            "payload": {"hand_over": sequence % HAND_OVER_EVERY == 0 and sequence < STEPS},
            "idempotency_key": f"{run} {chain_id} {sequence}",
        }
        for sequence in range(1, STEPS + 1)
    ]
    made = rows(wire.post("/v1/tasks", [*tasks]), "tasks")
    plan.chains[chain_id] = [text(task, "id") for task in made]
