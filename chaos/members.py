"""What all members of a run share: a thread, a log of its own, and chance that can be repeated."""

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.wire import Body, Json, Log, RunEnded, Wire

LEASE_SECONDS = 30  # longer than any fault with the recovery from it
BEAT = 2.0


@dataclass
class World:
    """What the members know of the run: where the coordinators are, and when it is over."""

    ports: Sequence[int]
    token: str
    logs: Path
    seed: int
    channels: Mapping[str, str]  # ids by name
    stop: threading.Event = field(default_factory=threading.Event)
    unwatched: threading.Event = field(default_factory=threading.Event)  # the streams may end
    resting: threading.Event = field(default_factory=threading.Event)  # no new work is made
    failures: list[str] = field(default_factory=list)


class Member(threading.Thread):
    """Somebody who calls the coordinators until the run is over."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.world = world
        self.over = world.stop
        self.log = Log(world.logs / f"{name}.jsonl")
        self.chance = random.Random(f"{world.seed} {name}")  # noqa: S311
        self.wire = self.new_wire(self.log)

    def new_wire(self, log: Log) -> Wire:
        wire = Wire(self.world.ports, self.world.token, log, self.world.stop)
        wire.turn = self.chance.randrange(len(self.world.ports))
        return wire

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self.step()
        except RunEnded:
            pass
        # A member that fails would make the rest of the run prove less than it says.
        except Exception as problem:
            self.world.failures.append(f"{self.name}: {problem!r}")
            raise
        finally:
            self.wire.close()
            self.log.close()

    def step(self) -> None:
        """Do the next thing."""
        raise NotImplementedError

    def pause(self, seconds: float) -> None:
        if self.over.wait(seconds):
            raise RunEnded

    def key(self) -> str:
        """A new key for a request that may be repeated."""
        return f"{self.chance.getrandbits(64):016x}"


@dataclass(frozen=True, slots=True)
class Held:
    """A task that an agent was given, by the number of its lease."""

    task_id: str
    epoch: int
    chain_id: str = ""


class Agent(Member):
    """An agent that is heard every two seconds, by a thread of its own, and says what it holds.

    Now and then it vanishes for a while, as a machine does: then it says nothing at all.
    """

    beats_at = "/v1/agents/heartbeat"
    vanishes = 0.0  # the chance of it at each step

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.held: dict[str, Held] = {}
        self.away = threading.Event()
        self.beat_wire = self.new_wire(Log(world.logs / f"{name}.beats.jsonl"))
        self.beats = threading.Thread(target=self._beat, name=f"{name} beats", daemon=True)

    def run(self) -> None:
        self.beats.start()
        super().run()
        self.beats.join()

    def _beat(self) -> None:
        while not self.world.stop.wait(BEAT):
            if not self.away.is_set():
                answer = self.beat_wire.once("POST", self.beats_at, self.beat(), timeout=3.0)
                if answer and answer.is_good:
                    for task_id in answer.body.get("lost", []) or []:  # type: ignore[union-attr]
                        self.held.pop(str(task_id), None)
        self.beat_wire.close()
        self.beat_wire.log.close()

    def beat(self) -> Body:
        return {"agent_id": self.name, "tasks": self.listed("lease_epoch")}

    def listed(self, epoch: str) -> list[Json]:
        return [{"id": one.task_id, epoch: one.epoch} for one in list(self.held.values())]

    def vanish(self, seconds: float) -> None:
        """Say nothing for so long, then go on with what was held, as if nothing had been."""
        self.log.write("away", seconds=seconds)
        self.away.set()
        try:
            self.pause(seconds)
        finally:
            self.away.clear()

    def take(self, rows: Sequence[Mapping[str, Json]], epoch: str = "lease_epoch") -> list[Held]:
        """Write down what was given, then hold it."""
        taken = [
            Held(str(row["id"]), int(str(row[epoch])), str(row.get("chain_id") or ""))
            for row in rows
        ]
        for one in taken:
            self.log.write("given", task=one.task_id, epoch=one.epoch)
            self.held[one.task_id] = one
        return taken

    def ended(self, one: Held, outcome: str, verdict: str, result: Json = None) -> None:
        """Write down what a report came to; the task is not held any more."""
        self.log.write(
            "ended",
            task=one.task_id,
            epoch=one.epoch,
            outcome=outcome,
            verdict=verdict,
            result=result,
        )
        self.held.pop(one.task_id, None)

    def work(self) -> None:
        """Take the time that a task needs: short for most, seconds for some."""
        self.pause(self.chance.uniform(2, 6) if self.chance.random() < 0.06 else 0.02)

    def choose(self) -> str:
        """What comes of a task: mostly it is done."""
        kinds = {"done": 84, "retriable": 8, "final": 3, "released": 5}
        return self.chance.choices([*kinds], [*kinds.values()])[0]

    def result(self, one: Held) -> Json:
        """A result that only this lease of this task can have."""
        return {"by": self.name, "epoch": one.epoch, "task": one.task_id}
