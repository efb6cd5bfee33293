"""The agents of a run: started together, started again when killed, stopped when all is done."""

import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from benchmarks.demo import agent
from benchmarks.demo.agent import Orders, Word

# Spawned, so that none holds another's line open, and a line breaks with the one who started it.
SPAWN = multiprocessing.get_context("spawn")
LOOK_AFTER = 3.0  # seconds without a word from anybody
SILENCE = 120.0  # seconds without a task that ends
LEAVE = 10.0  # seconds for a request that still runs


class FleetFailed(Exception):
    """The agents cannot go on."""


@dataclass
class Member:
    """One agent: its process, and the line on which it tells what it has done."""

    orders: Orders
    process: SpawnProcess
    line: Connection


class Fleet:
    """All agents of one run. `ended` are the ids of the tasks that are known to have."""

    def __init__(self, orders: list[Orders]) -> None:
        self.ended: set[str] = set()
        self.interruptions = 0
        self.deaths = 0
        self.members = [_start(each) for each in orders]

    def wait_until_ready(self) -> None:
        """Return once every agent has made itself known to the coordinator; none works yet."""
        for member in self.members:
            if not self._hear(member):
                raise FleetFailed(f"{member.orders.agent_id} does not start; see above.")

    def work(self, total: int, look: Callable[[], set[str]], show: Callable[[int], None]) -> None:
        """Have the agents work until `total` tasks have ended; `show` is told how many have.

        `look` asks the coordinator which have: an agent that was killed may not have told, and
        others may end tasks too.
        """
        for member in self.members:
            _set_to_work(member)
        news_at = time.monotonic()
        while len(self.ended) < total:
            before = len(self.ended)
            ready = wait([member.line for member in self.members], LOOK_AFTER)
            for place, member in enumerate(self.members):
                if member.line in ready and not self._hear(member):
                    self.members[place] = self._replace(member)
            if not ready:
                self.ended |= look()
            if len(self.ended) > before:
                news_at = time.monotonic()
                show(len(self.ended))
            elif time.monotonic() - news_at > SILENCE:
                raise FleetFailed(f"No task has ended for {SILENCE:.0f} seconds.")

    def stop(self) -> None:
        """Tell every agent to stop, and see that it has."""
        for member in self.members:
            member.line.close()
        for member in self.members:
            member.process.join(LEAVE)
            if member.process.is_alive():
                member.process.kill()
                member.process.join()

    def _hear(self, member: Member) -> bool:
        """Take note of what an agent says; False when it has died."""
        try:
            word: Word = member.line.recv()
        except (EOFError, OSError):
            return False
        if word.refused:
            raise FleetFailed(f"{member.orders.agent_id}: {word.refused[0]}")
        self.ended.update(word.done)
        self.interruptions += word.interruptions
        return True

    def _replace(self, member: Member) -> Member:
        """Start an agent that was killed again; under its name it finds what it held."""
        member.process.join()
        member.line.close()
        if (member.process.exitcode or 0) >= 0:
            raise FleetFailed(f"{member.orders.agent_id} ended by itself; see above.")
        self.deaths += 1
        successor = _start(member.orders)
        if self._hear(successor):
            _set_to_work(successor)
        return successor


def _start(orders: Orders) -> Member:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(
        target=agent.live, args=(orders, theirs), name=orders.agent_id, daemon=True
    )
    process.start()
    theirs.close()
    return Member(orders, process, ours)


def _set_to_work(member: Member) -> None:
    with suppress(BrokenPipeError):  # killed just now: its line breaks, which is seen there
        member.line.send("work")
