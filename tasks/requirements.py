"""Which agents may have a task: the rows that tasks share (`models.Requirement`)."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from agents.models import Agent, Protocol
from tasks.models import Requirement, Task

NOTHING: Mapping[str, str] = MappingProxyType({})


def of(
    wants: Mapping[str, str],
    refused_by: Sequence[str] = (),
    *,
    requires: Mapping[str, str] = NOTHING,
) -> Requirement | None:
    """The requirement of a task that needs this, or None when any agent may have it.

    `wants`: a value for each key; an agent that offers values for a key must offer that one.
    `requires`: the same, but an agent that does not name a key does not have it.
    `refused_by`: agents that cannot do it all the same.
    """
    if not wants and not requires and not refused_by:
        return None
    return _row(wants, requires, refused_by)


def refusing(task: Task, agent_id: str) -> Requirement:
    """The task's requirement, with this agent among those that cannot do it."""
    known = task.requirement or Requirement()
    return _row(known.wants, known.requires, [*known.refused_by, agent_id])


def _row(
    wants: Mapping[str, str], requires: Mapping[str, str], refused_by: Sequence[str]
) -> Requirement:
    new = unsaved(wants, requires, refused_by)
    row, _ = Requirement.objects.get_or_create(
        digest=new.digest,
        defaults={"wants": new.wants, "requires": new.requires, "refused_by": new.refused_by},
    )
    return row


def unsaved(
    wants: Mapping[str, str],
    requires: Mapping[str, str] = NOTHING,
    refused_by: Iterable[str] = (),
) -> Requirement:
    """The row of this need, not stored."""
    agents = sorted(set(refused_by))
    said = json.dumps([dict(wants), dict(requires), agents], sort_keys=True)
    digest = hashlib.sha256(said.encode()).hexdigest()
    return Requirement(wants=dict(wants), requires=dict(requires), refused_by=agents, digest=digest)


def of_each(
    needs: Iterable[tuple[Mapping[str, str], Mapping[str, str]]],
) -> list[Requirement | None]:
    """The requirements of many tasks, by what each wants and requires, in a few queries."""
    rows = [unsaved(*need) if any(need) else None for need in needs]
    asked = {row.digest: row for row in rows if row}
    known = _known(asked)
    # In one order, or two that make the same ones could wait for each other.
    new = [asked[digest] for digest in sorted(asked.keys() - known.keys())]
    if new:
        Requirement.objects.bulk_create(new, ignore_conflicts=True)
        known |= _known(row.digest for row in new)
    return [known[row.digest] if row else None for row in rows]


def _known(digests: Iterable[str]) -> dict[str, Requirement]:
    wanted = list(digests)
    found = Requirement.objects.filter(digest__in=wanted) if wanted else []
    return {row.digest: row for row in found}


def without_refusals(requirement: Requirement | None) -> Requirement | None:
    """The same requirement, but for those agents who said that they cannot do it."""
    if requirement is None or not requirement.refused_by:
        return requirement
    return of(requirement.wants, requires=requirement.requires)


def present(protocol: Protocol) -> list[Agent]:
    """The agents of a protocol that could be given something now."""
    return list(Agent.objects.online().filter(protocol=protocol, draining=False))


def is_served(requirement: Requirement | None, by: Iterable[Agent]) -> bool:
    """Whether one of these agents may have tasks of this requirement."""
    return any(serves(agent, requirement) for agent in by)


def serves(agent: Agent, requirement: Requirement | None) -> bool:
    """Whether the agent may have tasks of this requirement; `queue.MEETS` says it in SQL."""
    if requirement is None:
        return True
    offers = agent.offers
    return (
        agent.pk not in requirement.refused_by
        and all(value in offers.get(key, [value]) for key, value in requirement.wants.items())
        and all(value in offers.get(key, []) for key, value in requirement.requires.items())
    )
