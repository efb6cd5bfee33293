"""The reapers take back tasks of expired leases and lost agents, and log it as seed 004 did."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice

from agents import transitions as agents
from agents.models import Agent, Presence, Protocol
from tasks import leases
from tasks.leases import TakenBack
from tasks.states import DeadLetter

MOST_LINES = 20
"""The most log lines about single tasks in one run; one more line counts the others."""

log = logging.getLogger("coordinator.reapers")


def reap_tasks() -> int:
    """Take back the chainless tasks whose lease has expired; return how many."""
    reaped = leases.expire_leases()
    _log_each(reaped.failed, _log_failed)
    _log_each(reaped.retried, lambda task: log.info("Reaped task %s for retry", task.id))
    return len(reaped)


class AgentReaper:
    """Announces changes of presence, and takes back the tasks of lost agents.

    Between the two it counts the newly lost agents, so that one log line has both numbers.
    """

    def __init__(self) -> None:
        self.silent: Counter[str] = Counter()

    def announce(self) -> int:
        """Write changes of presence to the journal; return how many."""
        changed = agents.announce()
        self.silent.update(agent.protocol for agent in changed if agent.announced == Presence.LOST)
        return len(changed)

    def release(self) -> int:
        """Take back the chainless tasks of lost agents; return how many."""
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
        _log_each(reaped.failed, _log_failed)
        return len(reaped)


def _by_protocol(tasks: Sequence[TakenBack]) -> Counter[str]:
    """The number of the tasks by the protocol of their last holder."""
    held = Counter(task.holder for task in tasks)
    protocols = Agent.objects.filter(pk__in=held).values_list("pk", "protocol")
    freed: Counter[str] = Counter()
    for agent_id, protocol in protocols:
        freed[protocol] += held[agent_id]
    return freed


def _log_failed(task: TakenBack) -> None:
    if task.dead_letter == DeadLetter.AGENTS_LOST:
        log.warning("Task %s permanently failed after %d lost agents", task.id, task.losses)
    else:
        log.warning("Task %s permanently failed after %d attempts", task.id, task.attempts)


def _log_each(tasks: Sequence[TakenBack], log_one: Callable[[TakenBack], None]) -> None:
    for task in islice(tasks, MOST_LINES):
        log_one(task)
    if len(tasks) > MOST_LINES:
        log.info("… and %d tasks more", len(tasks) - MOST_LINES)
