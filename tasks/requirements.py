"""Which agents may have a task: the rows that tasks share (`models.Requirement`)."""

from collections.abc import Iterable, Mapping, Sequence

from agents.models import Agent, Protocol
from tasks.models import Requirement, Task


def of(wants: Mapping[str, str], refused_by: Sequence[str] = ()) -> Requirement | None:
    """The requirement of a task that wants this, or None when any agent may have it.

    `wants`: a value for each key; an agent that offers values for a key must offer that one.
    `refused_by`: agents that cannot do it all the same.
    """
    if not wants and not refused_by:
        return None
    row, _ = Requirement.objects.get_or_create(
        wants=dict(wants), refused_by=sorted(set(refused_by))
    )
    return row


class Lookup:
    """The requirements of many tasks, each looked up once."""

    def __init__(self) -> None:
        self.known: dict[tuple[tuple[str, str], ...], Requirement | None] = {}

    def of(self, wants: Mapping[str, str]) -> Requirement | None:
        key = tuple(sorted(wants.items()))
        if key not in self.known:
            self.known[key] = of(wants)
        return self.known[key]


def refusing(task: Task, agent_id: str) -> Requirement | None:
    """The task's requirement, with this agent among those that cannot do it."""
    known = task.requirement
    return of(known.wants if known else {}, [*(known.refused_by if known else ()), agent_id])


def forget_refusals(task: Task) -> None:
    """Let those try the task again who said that they cannot do it. Saving it is the caller's."""
    if task.requirement and task.requirement.refused_by:
        task.requirement = of(task.requirement.wants)


def present(protocol: Protocol) -> list[Agent]:
    """The agents of a protocol that could be given something now."""
    return list(Agent.objects.online().filter(protocol=protocol, draining=False))


def is_served(requirement: Requirement | None, by: Iterable[Agent]) -> bool:
    """Whether one of these agents may have tasks of this requirement."""
    return any(serves(agent, requirement) for agent in by)


def serves(agent: Agent, requirement: Requirement | None) -> bool:
    """Whether the agent may have tasks of this requirement; claims ask the same in SQL."""
    if requirement is None:
        return True
    offers = agent.offers
    return agent.pk not in requirement.refused_by and all(
        value in offers[key] for key, value in requirement.wants.items() if key in offers
    )
