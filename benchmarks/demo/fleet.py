"""The agents of a run: started together, started again when killed, stopped when all is done."""

import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from benchmarks.demo import agent
from benchmarks.demo.agent import AgentNews, AgentSettings

# Spawned, so that none holds another's pipe open, and each breaks with the process that made it.
SPAWN = multiprocessing.get_context("spawn")
LOOK_AFTER = 3.0  # seconds without news from any agent
SILENCE = 120.0  # seconds without a task that ends
LEAVE = 10.0  # seconds for a request that still runs


class FleetFailed(Exception):
    """The agents cannot go on."""


@dataclass
class Member:
    """One agent: its process, and the pipe by which it reports what it has done."""

    settings: AgentSettings
    process: SpawnProcess
    pipe: Connection


class DemoFleet:
    """All agents of one run. `ended` are the ids of the tasks that are known to have."""

    def __init__(self, settings: list[AgentSettings]) -> None:
        self.ended: set[str] = set()
        self.interruptions = 0
        self.deaths = 0
        self.members = [_start(each) for each in settings]

    def wait_until_ready(self) -> None:
        """Return once every agent has made itself known to the coordinator; none works yet."""
        for member in self.members:
            if not self._receive(member):
                raise FleetFailed(f"{member.settings.agent_id} does not start; see above.")

    def work(self, total: int, look: Callable[[], set[str]], show: Callable[[int], None]) -> None:
        """Have the agents work until `total` tasks have ended; `show` is called with how many have.

        `look` asks the coordinator which have: an agent that was killed may not have
        reported all, and others may end tasks too.
        """
        for member in self.members:
            _set_to_work(member)
        news_at = time.monotonic()
        while len(self.ended) < total:
            before = len(self.ended)
            ready = wait([member.pipe for member in self.members], LOOK_AFTER)
            for place, member in enumerate(self.members):
                if member.pipe in ready and not self._receive(member):
                    self.members[place] = self._replace(member)
            if not ready:
                self.ended |= look()
            if len(self.ended) > before:
                news_at = time.monotonic()
                show(len(self.ended))
            elif time.monotonic() - news_at > SILENCE:
                raise FleetFailed(f"No task has ended for {SILENCE:.0f} seconds.")

    def stop(self) -> None:
        """Stop every agent, and wait until it has."""
        for member in self.members:
            member.pipe.close()
        for member in self.members:
            member.process.join(LEAVE)
            if member.process.is_alive():
                member.process.kill()
                member.process.join()

    def _receive(self, member: Member) -> bool:
        """Take note of an agent's news; False when it has died."""
        try:
            news: AgentNews = member.pipe.recv()
        except (EOFError, OSError):
            return False
        if news.refused:
            raise FleetFailed(f"{member.settings.agent_id}: {news.refused[0]}")
        self.ended.update(news.done)
        self.interruptions += news.interruptions
        return True

    def _replace(self, member: Member) -> Member:
        """Start an agent that was killed again; under its name it finds what it held."""
        member.process.join()
        member.pipe.close()
        if (member.process.exitcode or 0) >= 0:
            raise FleetFailed(f"{member.settings.agent_id} ended by itself; see above.")
        self.deaths += 1
        successor = _start(member.settings)
        if self._receive(successor):
            _set_to_work(successor)
        return successor


def _start(settings: AgentSettings) -> Member:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(
        target=agent.live, args=(settings, theirs), name=settings.agent_id, daemon=True
    )
    process.start()
    theirs.close()
    return Member(settings, process, ours)


def _set_to_work(member: Member) -> None:
    with suppress(BrokenPipeError):  # killed just now: its pipe breaks, which is seen there
        member.pipe.send("work")
