"""Everything that creates or changes an agent. Nothing outside this module writes an agent.

Locks: an agent's row is locked before any chain or task; `enter` and `lock` take that first lock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from agents.exceptions import AgentLost, AgentReplaced, AgentUnknown
from agents.models import (
    Agent,
    Dismissal,
    Notification,
    NotificationType,
    Presence,
    Protocol,
)
from agents.querysets import lost_since, online_since, unheard
from api.names import spelled
from events import journal

ANNOUNCE_AGAIN_AFTER = timedelta(minutes=5)
"""How often the same waiting agent is announced to those who watch (contract 000-002, 3.8)."""

PAST = 20
"""How many of the processes that an agent has replaced are remembered."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The data of a heartbeat. Empty texts and absent values leave the agent's as they are.

    `meta` replaces the agent's meta, `facts` are added to it. `offers`: the agent's capabilities,
    as in `Agent.offers`. `capacity`: the most tasks that it takes at once, 0 for no limit.
    """

    agent_id: str
    name: str = ""
    activity: str = ""
    meta: Mapping[str, object] | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    protocol: Protocol = Protocol.PLAIN
    offers: Mapping[str, Sequence[str]] | None = None
    capacity: int | None = None


def enter(agent_id: str, *, seen: bool = True, protocol: Protocol = Protocol.PLAIN) -> Agent:
    """Lock the agent's row until the transaction ends; create it for a new agent.

    `seen`: the request comes from the agent itself, so its presence is renewed. An operator that
    assigns work to it does not renew it.
    """
    seen_at = "now()" if seen else "agents_agent.last_seen_at"
    entered = Agent.objects.raw(
        "INSERT INTO agents_agent (id, protocol) VALUES (%s, %s) ON CONFLICT (id)"  # noqa: S608
        f" DO UPDATE SET last_seen_at = {seen_at} RETURNING *",
        [agent_id, protocol],
    )
    return entered[0]


def adopt(agent_id: str, user_id: UUID | None, protocol: Protocol) -> None:
    """Make an agent of this user, if there is none of this id."""
    agent = Agent(id=agent_id, user_id=user_id, protocol=protocol)
    Agent.objects.bulk_create([agent], ignore_conflicts=True)


def hear(agent_id: str) -> None:
    """Renew the presence of a known agent and lock its row; an unknown one stays unknown."""
    Agent.objects.filter(pk=agent_id).update(last_seen_at=Now())


def lock(agent_ids: Collection[str], *, skip_locked: bool = False) -> list[str]:
    """Lock the rows of these agents in the order of their ids; the ids of those locked.

    Unknown ones are left out, with `skip_locked` also those that somebody else has locked.
    """
    rows = Agent.objects.filter(pk__in=agent_ids).order_by("pk")
    locked = rows.select_for_update(no_key=True, skip_locked=skip_locked)
    return list(locked.values_list("pk", flat=True))


def refuse_lost(agent: Agent) -> None:
    """Raise AgentLost for a locked agent that is lost: the next pass would take the work back."""
    if Agent.objects.lost().filter(pk=agent.pk).exists():
        raise AgentLost(f"Agent {agent.pk!r} is lost: it was last seen at {agent.last_seen_at}.")


def incarnate(agent_id: str, incarnation: str) -> bool:
    """Say which process uses the agent's id from now on; whether it has replaced another.

    Each process is known by the first request that names it: the latest to come first is the
    present one. Raises AgentReplaced for one before it. Call it inside a transaction; the agent is
    locked until that ends.
    """
    agent = enter(agent_id)
    before = agent.incarnation
    if before == incarnation:
        return False
    if incarnation in agent.past_incarnations:
        raise AgentReplaced(f"A newer process uses the id of agent {agent_id!r}.")
    past = [*agent.past_incarnations, before][-PAST:] if before else []
    Agent.objects.filter(pk=agent_id).update(
        incarnation=incarnation, past_incarnations=past, updated_at=Now()
    )
    if before:
        journal.attribute(actor=f"agent:{agent_id}")
        journal.record(
            "agent.restarted", agent_id=agent_id, payload={"from": before, "to": incarnation}
        )
    return bool(before)


@transaction.atomic
def tell_doubled(agent_id: str, incarnation: str) -> None:
    """Write to the journal, now and then, that a process which was replaced still lives."""
    quiet = Q(doubled_at=None) | Q(doubled_at__lte=Now() - ANNOUNCE_AGAIN_AFTER)
    if Agent.objects.filter(quiet, pk=agent_id).update(doubled_at=Now()):
        journal.attribute(actor=f"agent:{agent_id}")
        journal.record("agent.was_doubled", agent_id=agent_id, payload={"incarnation": incarnation})


@transaction.atomic
def beat(heartbeat: Beat) -> Agent:
    """Apply a heartbeat: register or renew the agent, store its data.

    The agent's row stays locked until the transaction ends. Subscriptions set by an operator stay
    until the agent reports the same; an empty list removes none (contract 000-002, 4.4.3).
    """
    agent = enter(heartbeat.agent_id)
    waited = agent.meta.get("state") == NotificationType.SETUP_WAITING
    agent.name = heartbeat.name or agent.name
    agent.activity = heartbeat.activity or agent.activity
    if heartbeat.meta is not None:
        agent.meta = {key: value for key, value in heartbeat.meta.items() if key != "subscriptions"}
        _subscribe(agent, subscriptions_in(heartbeat.meta))
    agent.meta |= heartbeat.facts
    agent.protocol = heartbeat.protocol or agent.protocol
    agent.offers = agent.offers if heartbeat.offers is None else heartbeat.offers
    agent.capacity = agent.capacity if heartbeat.capacity is None else heartbeat.capacity or None
    agent.updated_at = Now()
    agent.save(
        update_fields=[
            "name",
            "protocol",
            "activity",
            "meta",
            "offers",
            "capacity",
            "subscriptions",
            "subscriptions_pinned",
            "updated_at",
        ]
    )
    if agent.meta.get("state") == NotificationType.SETUP_WAITING:
        _call_for_setup(agent)
    elif waited:
        agent.notifications.all().delete()
    return Agent.objects.with_online().get(pk=agent.pk)


def subscriptions_in(meta: Mapping[str, object]) -> list[str]:
    """The channels in an agent's meta: a list of strings, or one string."""
    named = meta.get("subscriptions")
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    return unique_names([name for name in names if isinstance(name, str)])


def unique_names(names: Sequence[str]) -> list[str]:
    """The names as they are stored, without blanks and repetitions, in the order given."""
    return list(dict.fromkeys(filter(None, map(spelled, names))))


def _subscribe(agent: Agent, reported: list[str]) -> None:
    if not reported:
        return
    if agent.subscriptions_pinned:
        agent.subscriptions_pinned = set(reported) != set(agent.subscriptions)
    else:
        agent.subscriptions = reported


@transaction.atomic
def subscribe(agent_id: str, names: Sequence[str], *, by: str, reason: str = "") -> Agent:
    """Set an agent's channels as an operator; its heartbeats cannot undo it.

    Its presence is not renewed.
    """
    journal.attribute(actor=by, reason=reason)
    if not lock([agent_id]):
        raise AgentUnknown(f"There is no agent {agent_id!r}.")
    Agent.objects.filter(pk=agent_id).update(
        subscriptions=unique_names(names), subscriptions_pinned=True, updated_at=Now()
    )
    return Agent.objects.with_online().get(pk=agent_id)


def drain(agent_id: str, *, by: str, reason: str = "") -> Agent:
    """Let an agent finish its tasks and claim no more; the answers to its heartbeats say so.

    Repeating it changes nothing. The agent's presence is not renewed.
    """
    return _set_draining(agent_id, True, by=by, reason=reason)


def resume(agent_id: str, *, by: str, reason: str = "") -> Agent:
    """Let a draining agent claim again. Repeating it changes nothing."""
    return _set_draining(agent_id, False, by=by, reason=reason)


@transaction.atomic
def _set_draining(agent_id: str, draining: bool, *, by: str, reason: str) -> Agent:
    journal.attribute(actor=by, reason=reason)
    if not lock([agent_id]):
        raise AgentUnknown(f"There is no agent {agent_id!r}.")
    changed = Agent.objects.filter(pk=agent_id).exclude(draining=draining)
    changed.update(draining=draining, updated_at=Now())
    return Agent.objects.with_online().get(pk=agent_id)


@transaction.atomic
def remove(agent_ids: Collection[str], *, by: str, reason: str = "") -> int:
    """Forget agents that hold and own nothing; returns how many. The caller has locked them.

    What they did stays, with their names. One that appears again is made anew.
    """
    journal.attribute(actor=by, reason=reason)
    Agent.objects.filter(pk__in=agent_ids).delete()
    return len(agent_ids)


def _call_for_setup(agent: Agent) -> None:
    """Store the notification that this agent waits for a person; announce it now and then."""
    channel = next(iter(agent.subscriptions), "")
    name = agent.name or agent.pk
    message = (
        f"{name} is ready to start a session for {channel}."
        if channel
        else f"{name} waits for a channel to be assigned."
    )
    note, new = Notification.objects.get_or_create(
        agent=agent,
        type=NotificationType.SETUP_WAITING,
        defaults={"channel": channel, "message": message},
    )
    stale = Q(pk=note.pk, dismissed_at=None, announced_at__lte=Now() - ANNOUNCE_AGAIN_AFTER)
    due = new or Notification.objects.filter(stale).update(announced_at=Now()) > 0
    if (note.channel, note.message) != (channel, message):
        Notification.objects.filter(pk=note.pk).update(channel=channel, message=message)
    if due:
        journal.record(
            "agent.setup_waited",
            agent_id=agent.pk,
            payload={
                "notification_type": NotificationType.SETUP_WAITING,
                "agent_id": agent.pk,
                "agent_name": agent.name,
                "channel": channel,
                "message": message,
            },
        )


@transaction.atomic
def dismiss(agent_id: str, type_: str) -> None:
    """Hide a notification until the agent has stopped waiting and waits again."""
    Notification.objects.filter(agent=agent_id, type=type_, dismissed_at=None).update(
        dismissed_at=Now()
    )


def dismiss_finding(key: str, *, by: str) -> None:
    """Hide what needs a person until something new comes to it."""
    Dismissal.objects.bulk_create(
        [Dismissal(key=key, dismissed_at=Now(), by=by)],
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=["dismissed_at", "by"],
    )


BATCH = 500


def announce() -> list[Agent]:
    """Write to the journal whose presence has changed since the last pass; return those agents.

    Agents whose row is locked are left to the next pass, and so are those gone silent while it is
    not known whether that was ours. The agents have only the fields that it takes to name them.
    """
    announced = some = _announce_batch()
    while len(some) == BATCH:
        announced += (some := _announce_batch())
    return announced


@transaction.atomic
def _announce_batch() -> list[Agent]:
    presence = Case(
        When(last_seen_at__gt=online_since(), then=Value(Presence.ONLINE)),
        When(last_seen_at__lte=lost_since(), then=Value(Presence.LOST)),
        default=Value(Presence.OFFLINE),
    )
    changed = (
        Agent.objects.annotate(presence=presence)
        .exclude(announced=F("presence"))
        .filter(Q(presence=Presence.ONLINE) | ~unheard())
        .order_by("pk")
        .select_for_update(no_key=True, skip_locked=True)
    )
    journal.attribute(actor="coordinator")
    ids = list(changed.values_list("pk", flat=True)[:BATCH])
    Agent.objects.filter(pk__in=ids).update(announced=presence)
    return list(Agent.objects.filter(pk__in=ids).only("protocol", "announced"))
