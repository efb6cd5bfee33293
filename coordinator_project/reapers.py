"""The reapers: they take back what expired and lost holds leave, and say so as seed 004 did."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice

from agents import transitions as agents
from agents.models import Agent, Presence, Protocol
from tasks import leases
from tasks.leases import TakenBack
from tasks.states import DeadLetter

SAID_AT_MOST = 20
"""Lines about single tasks in one run; how many more there were is one line."""

log = logging.getLogger("coordinator.reapers")


def reap_tasks() -> int:
    """Take back the chainless tasks whose lease ran out; how many."""
    reaped = leases.expire_leases()
    _say_each(reaped.failed, _say_failed)
    _say_each(reaped.retried, lambda task: log.info("Reaped task %s for retry", task.id))
    return len(reaped)


class AgentReaper:
    """Announces whose presence changed, and takes back what lost agents held.

    Between the two it remembers how many fell silent, so that one line tells of both.
    """

    def __init__(self) -> None:
        self.silent: Counter[str] = Counter()

    def announce(self) -> int:
        """Tell the journal whose presence has changed; how many those are."""
        told = agents.announce()
        self.silent.update(agent.protocol for agent in told if agent.announced == Presence.LOST)
        return len(told)

    def release(self) -> int:
        """Take back the chainless tasks of lost agents; how many."""
        reaped = leases.release_lost()
        freed = _by_protocol(reaped.tasks)
        for protocol in Protocol:
            silent = self.silent.pop(protocol.value, 0)
            if silent or freed[protocol.value]:
                log.info(
                    "Reaped %d stale %s, freed %d tasks",
                    silent,
                    protocol.label,
                    freed[protocol.value],
                )
        _say_each(reaped.failed, _say_failed)
        return len(reaped)


def _by_protocol(tasks: Sequence[TakenBack]) -> Counter[str]:
    """How many of the tasks were held by agents of each protocol."""
    held = Counter(task.holder for task in tasks)
    protocols = Agent.objects.filter(pk__in=held).values_list("pk", "protocol")
    freed: Counter[str] = Counter()
    for agent_id, protocol in protocols:
        freed[protocol] += held[agent_id]
    return freed


def _say_failed(task: TakenBack) -> None:
    if task.dead_letter == DeadLetter.AGENTS_LOST:
        log.warning("Task %s permanently failed after %d lost agents", task.id, task.losses)
    else:
        log.warning("Task %s permanently failed after %d attempts", task.id, task.attempts)


def _say_each(tasks: Sequence[TakenBack], say: Callable[[TakenBack], None]) -> None:
    for task in islice(tasks, SAID_AT_MOST):
        say(task)
    if len(tasks) > SAID_AT_MOST:
        log.info("… and %d tasks more", len(tasks) - SAID_AT_MOST)
