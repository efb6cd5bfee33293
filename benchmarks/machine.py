"""What a benchmark ran on, and whose CPU time it used."""

import os
import platform
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

PROC = Path("/proc")
EVERYBODY, OTHERS = "everybody", "others"
TICKS = os.sysconf("SC_CLK_TCK")


def description(db: psycopg.Connection) -> str:
    """One line: processor, cores, kernel, PostgreSQL, Python."""
    cores = len(os.sched_getaffinity(0))
    version = db.execute("SELECT current_setting('server_version')").fetchone()
    postgres = version[0] if version else "?"
    return (
        f"{_processor()}, {cores} cores, {platform.system()} {platform.release()}, "
        f"PostgreSQL {postgres}, Python {platform.python_version()}"
    )


def _processor() -> str:
    try:
        lines = (PROC / "cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def tree_seconds(root: int, others: Collection[int] = ()) -> float:
    """CPU seconds of a process, of its living descendants, and of those it has waited for.

    A descendant that is one of the `others` counts with its own descendants for itself.
    """
    return sum(_tree(root, others).values()) / TICKS


def peak_megabytes(root: int, others: Collection[int] = ()) -> float:
    """The most memory that any one process of the tree has held so far."""
    peaks = [0]
    for pid in _tree(root, others):
        try:
            status = (PROC / str(pid) / "status").read_text().splitlines()
        except OSError:
            continue
        peaks += [int(line.split()[1]) for line in status if line.startswith("VmHWM:")]
    return max(peaks) / 1024


def held_megabytes(root: int, others: Collection[int] = ()) -> float:
    """What the processes of the tree hold together now; what they share is counted once."""
    kilobytes = 0
    for pid in _tree(root, others):
        try:
            status = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in status if line.startswith("Pss:"))
    return kilobytes / 1024


def _tree(root: int, others: Collection[int]) -> dict[int, int]:
    """The processes below `root`, itself included, and the ticks that each has used."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for entry in PROC.iterdir() if PROC.exists() else ():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(entry.name)
        children.setdefault(int(fields[1]), []).append(pid)
        ticks[pid] = sum(int(value) for value in fields[11:15])
    todo, found = [root], dict[int, int]()
    while todo:
        pid = todo.pop()
        found[pid] = ticks.get(pid, 0)
        todo += [child for child in children.get(pid, []) if child not in others]
    return found


def busy_seconds() -> float:
    """CPU seconds of everybody so far, what a hypervisor took for others included."""
    try:
        fields = (PROC / "stat").read_text().split(maxsplit=9)[1:9]
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, *interrupts_and_stolen = map(int, fields)
    return (user + nice + system + sum(interrupts_and_stolen)) / TICKS


@dataclass
class Meter:
    """Whose share of one core was how large, between `start` and `stop`; "others" is the rest."""

    processes: Mapping[str, int]
    started_at: float = 0.0
    before: Mapping[str, float] | None = None

    def start(self) -> None:
        self.before = self._now()
        self.started_at = time.perf_counter()

    def stop(self) -> dict[str, float]:
        took = time.perf_counter() - self.started_at
        before, after = self.before or {}, self._now()
        shares = {name: (after[name] - before[name]) / took for name in before}
        everybody = shares.pop(EVERYBODY)
        return shares | {OTHERS: max(0.0, everybody - sum(shares.values()))}

    def _now(self) -> dict[str, float]:
        times = os.times()
        client = times.user + times.system + times.children_user + times.children_system
        return {EVERYBODY: busy_seconds(), "client": client} | {
            name: tree_seconds(pid, self.processes.values()) for name, pid in self.processes.items()
        }
