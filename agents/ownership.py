"""Whose agents are whose: a user's token speaks for agents of that user alone."""

from uuid import UUID

from accounts import ownership
from accounts.callers import Caller
from accounts.exceptions import NotYours
from accounts.ownership import is_limited
from accounts.permissions import AsAgent
from agents import transitions
from agents.models import ID_LENGTH, Agent, Protocol
from api import marks


def speak_for(agent_id: str, caller: Caller, protocol: Protocol = Protocol.PLAIN) -> None:
    """Raise NotYours where the agent is not the user's; an id that nobody has becomes theirs.

    So no user reports on what the agent of another one has. Callers who steer all speak for any.
    """
    if speaks_for(agent_id, caller):
        return
    transitions.adopt(agent_id, caller.user_id, protocol)
    if not speaks_for(agent_id, caller):
        raise NotYours(f"The agent {agent_id!r} is not yours. Choose another id.")


def speaks_for(agent_id: str, caller: Caller) -> bool:
    """Whether the caller steers all, or is the user whose the agent is."""
    if not is_limited(caller, changes=True):
        return True
    return Agent.objects.filter(pk=agent_id, user=caller.user_id).exists()


def check_work(owner_id: UUID | None, agent: Agent, caller: Caller) -> None:
    """Raise NotYours where what the agent works on is of another user, and so is not the agent."""
    if not speaks_for(agent.pk, caller):
        ownership.check(owner_id, caller, changes=False)


def refuse_another(agent: Agent, caller: Caller) -> None:
    """Raise NotYours unless the agent is the user's own, or the caller steers all."""
    if is_limited(caller, changes=True) and agent.user_id != caller.user_id:
        raise NotYours(f"The agent {agent.pk!r} is not yours.")


def refuse_other_agent(agent_id: str, caller: Caller) -> None:
    """The same for an agent's id; where there is no such agent, the verb says so."""
    if is_limited(caller, changes=True):
        for agent in Agent.objects.filter(pk=agent_id):
            refuse_another(agent, caller)


def when_named(
    sender: type[object], *, caller: Caller, agent_id: str, rule: AsAgent, **kwargs: object
) -> None:
    """A receiver: the body of a request names an agent; serializers refuse an id that is none."""
    if agent_id and len(agent_id) <= ID_LENGTH and not marks.MARK.search(agent_id):
        speak_for(agent_id, caller, Protocol(rule.protocol))
