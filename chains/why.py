"""Why a task does not run: every reason, in the order in which to remove them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.cells import format_offset
from agents.models import Agent, Protocol
from agents.querysets import AgentQuerySet
from chains.models import Chain, OnFailure
from tasks import queue, requirements
from tasks.models import Channel, Task
from tasks.states import DeadLetter, Status


class Code(StrEnum):
    """The codes of the reasons."""

    CHANNEL_PAUSED = "channel_paused"
    LOCKED = "locked"
    CHAIN_LOCKED = "chain_locked"
    CHAIN_OWNED = "chain_owned"
    STOPPED = "stopped"
    BEHIND = "behind"
    SESSION_REQUEST = "session_request"
    QUEUE_OUTSIDE = "queue_outside"
    NO_AGENTS = "no_agents"
    NOBODY_OFFERS = "nobody_offers"
    NOT_BEFORE = "not_before"
    IN_QUEUE = "in_queue"
    DEAD_LETTER = "dead_letter"
    CANCEL_ASKED = "cancel_asked"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Do:
    """The verb that removes a reason, and its object."""

    kind: str
    id: UUID | str
    verb: str


@dataclass(frozen=True, slots=True)
class WhyReason:
    """One reason: a sentence, the nearest remedy if there is one, and the particulars."""

    code: Code
    text: str
    remedy: str = ""
    do: Do | None = None
    data: Mapping[str, object] = field(default_factory=dict)


HELD_BACK: dict[str, Callable[[Task], WhyReason]] = {}
"""Why no claim gets a task that is `assign_only`, by its type; rooms above add theirs."""

UNSERVED: dict[str, Callable[[Task], tuple[str, str] | None]] = {}
"""What no agent offers, and what helps, in the words of a type of tasks; rooms above add theirs."""


def why(task: Task) -> list[WhyReason]:
    """Why the task does not run, or how it ended; reasons that concern more tasks come first.

    A snapshot without locks, read by a few index look-ups even if the queue is long.
    """
    match Status(task.status):
        case Status.QUEUED:
            return list(_waits(task))
        case Status.IN_PROGRESS:
            return list(_runs(task))
        case Status.LOCKED:
            return [_locked(task)]
        case Status.FAILED:
            return [_dead(task)]
        case Status.DONE:
            text = _("It has been done since %(time)s.") % {"time": _clock(task.finished_at)}
            return [WhyReason(Code.DONE, text, data={"finished_at": task.finished_at})]
        case Status.CANCELLED:
            text = _("It was cancelled at %(time)s.") % {"time": _clock(task.finished_at)}
            return [WhyReason(Code.CANCELLED, text, data={"finished_at": task.finished_at})]


def _clock(time: datetime | None) -> str:
    if time is None:
        return "?"
    local = timezone.localtime(time)
    zone = format_offset(local) if local.utcoffset() else "UTC"
    return f"{local:%Y-%m-%d %H:%M:%S} {zone}"


def _waits(task: Task) -> Iterator[WhyReason]:
    chain = _chain_of(task)
    yield from _paused(task.channel)
    if chain:
        yield from _chain_locked(chain)
        yield from _owned(chain)
        yield from _behind(task, chain)
    if task.assign_only:
        yield HELD_BACK.get(task.type, _session_request)(task)
        return
    if chain is None or chain.owner is None:
        yield from _nobody(task)
    if task.postponed:
        yield WhyReason(
            Code.NOT_BEFORE,
            _("It is postponed until %(time)s.") % {"time": _clock(task.available_at)},
            data={"available_at": task.available_at, "attempts": task.attempts},
        )
    if task.free:
        yield _in_queue(task)


def _session_request(task: Task) -> WhyReason:
    return WhyReason(
        Code.SESSION_REQUEST,
        _("It is a session request, which is assigned and never claimed."),
        _("Assign it to an agent."),
        Do("task", task.pk, "reassign"),
    )


def _chain_of(task: Task) -> Chain | None:
    if task.chain_id is None:
        return None
    return Chain.objects.select_related("owner").filter(pk=task.chain_id).first()


def _paused(channel: Channel) -> Iterator[WhyReason]:
    if channel.paused_at is None:
        return
    words = {
        "channel": channel.name,
        "time": _clock(channel.paused_at),
        "reason": channel.pause_reason,
    }
    text = (
        _("Channel %(channel)s has been paused since %(time)s: %(reason)s")
        if channel.pause_reason
        else _("Channel %(channel)s has been paused since %(time)s.")
    )
    yield WhyReason(
        Code.CHANNEL_PAUSED,
        text % words,
        _("Resume the channel."),
        Do("channel", channel.pk, "resume"),
        {
            "channel_id": channel.pk,
            "paused_at": channel.paused_at,
            "pause_reason": channel.pause_reason,
        },
    )


def _step(task: Task) -> dict[str, object]:
    return {"blocking_task_id": task.pk, "sequence": task.sequence}


def _chain_locked(chain: Chain) -> Iterator[WhyReason]:
    locked = Task.objects.filter(chain=chain).locked().first()
    if locked:
        yield WhyReason(
            Code.CHAIN_LOCKED,
            _("Its chain is locked by task %(number)d: %(title)s")
            % {"number": locked.sequence, "title": locked.title},
            _("Unlock that task: back to the queue, or to done."),
            Do("task", locked.pk, "unlock_to_queued"),
            _step(locked) | {"chain_id": chain.pk},
        )


def _owned(chain: Chain) -> Iterator[WhyReason]:
    owner = chain.owner
    if owner is None:
        return
    words = {"agent": owner.pk, "time": _clock(owner.last_seen_at)}
    mine = Agent.objects.filter(pk=owner.pk)
    presence = "lost" if mine.lost().exists() else "online" if mine.online().exists() else "offline"
    runs = Task.objects.filter(chain=chain).in_progress().exists()
    verb = "detach" if runs or presence != "online" else "release"
    if presence != "online":
        text = _("Its chain is owned by agent %(agent)s, which has been silent since %(time)s.")
        remedy = _("Detach the chain, or give it to another agent.")
    elif owner.draining:
        text = _("Its chain is owned by agent %(agent)s, which is draining.")
        remedy = _("Resume the agent, or release the chain.")
    else:
        text = _("Its chain is owned by agent %(agent)s, which is online.")
        remedy = _("Wait for the agent, or release the chain.")
    if verb == "detach" and presence == "online":
        remedy = _("Wait for the agent, or detach the chain.")
    data = {
        "chain_id": chain.pk,
        "agent_id": owner.pk,
        "presence": presence,
        "draining": owner.draining,
        "last_seen_at": owner.last_seen_at,
    }
    yield WhyReason(Code.CHAIN_OWNED, text % words, remedy, Do("chain", chain.pk, verb), data)


def _behind(task: Task, chain: Chain) -> Iterator[WhyReason]:
    """The tasks before it in its chain; a locked one has been named by then."""
    steps = Task.objects.filter(chain=chain).order_by("sequence")
    before = steps.filter(sequence__lt=task.sequence)
    failed = before.failed().first() if chain.on_failure == OnFailure.STOP else None
    if failed:
        yield WhyReason(
            Code.STOPPED,
            _("Its chain stopped when task %(number)d failed: %(title)s")
            % {"number": failed.sequence, "title": failed.title},
            _("Requeue that task, or let the chain continue after a failure."),
            Do("task", failed.pk, "requeue"),
            _step(failed) | {"chain_id": chain.pk},
        )
    first = steps.in_progress().first() or before.queued().first()
    if first:
        text = (
            _("It is behind task %(number)d of its chain, which agent %(agent)s runs: %(title)s")
            if first.agent_id
            else _("It is behind task %(number)d of its chain, which is waiting too: %(title)s")
        )
        yield WhyReason(
            Code.BEHIND,
            text % {"number": first.sequence, "title": first.title, "agent": first.agent_id},
            data=_step(first) | {"chain_id": chain.pk, "status": first.status},
        )


def _agents_for(task: Task) -> AgentQuerySet:
    """The agents that may claim the task by protocol and channel."""
    if task.protocol == Protocol.SPOT:
        return Agent.objects.filter(protocol=Protocol.SPOT)
    return Agent.objects.filter(protocol=Protocol.PLAIN).working_for(task.channel.name)


def _nobody(task: Task) -> Iterator[WhyReason]:
    all_ = _agents_for(task)
    present = list(all_.online().filter(draining=False))
    if not present:
        yield _no_agents(task, all_)
    elif not requirements.is_served(task.requirement, present):
        yield _nobody_offers(task)


def _no_agents(task: Task, all_: AgentQuerySet) -> WhyReason:
    draining = list(all_.online().filter(draining=True).order_by("pk").values_list("pk", flat=True))
    known = all_.count()
    if known:
        text = _(
            "No agent of channel %(channel)s takes work: %(draining)d are draining,"
            " %(absent)d are offline."
        )
    else:
        text = _("No agent works for channel %(channel)s.")
    data = {
        "channel": task.channel.name,
        "draining": len(draining),
        "absent": known - len(draining),
    }
    if draining:
        remedy = _("Resume agent %(agent)s.") % {"agent": draining[0]}
    else:
        remedy = _("Start an agent for the channel.")
    do = Do("agent", draining[0], "resume") if draining else None
    return WhyReason(Code.NO_AGENTS, text % data, remedy, do, data)


def _nobody_offers(task: Task) -> WhyReason:
    needed = task.requirement
    wants = {**needed.wants, **needed.requires} if needed else {}
    refused = needed.refused_by if needed else []
    offer = ", ".join(f"{key}={value}" for key, value in sorted(wants.items()))
    own = UNSERVED[task.type](task) if task.type in UNSERVED else None
    if own:
        text, remedy = own
    elif offer:
        text = _("No online agent offers %(offer)s.") % {"offer": offer}
        remedy = _("Start an agent that offers %(offer)s.") % {"offer": offer}
    else:
        text = _("All online agents have refused it.")
        remedy = _("Start another agent.")
    return WhyReason(Code.NOBODY_OFFERS, text, remedy, data={"wants": wants, "refused_by": refused})


def _in_queue(task: Task) -> WhyReason:
    position = queue.position(task)
    far = position > queue.FAR
    if far:
        text = _("More than %(number)d tasks are ahead of it in the queue.") % {"number": queue.FAR}
    elif position == 1:
        text = _("It is at the head of the queue.")
    else:
        text = _("It is at position %(position)d in the queue.") % {"position": position}
    remedy = "" if position == 1 else _("Give it a higher priority.")
    do = Do("task", task.pk, "prioritize") if remedy else None
    return WhyReason(Code.IN_QUEUE, text, remedy, do, {"position": position, "more": far})


def _runs(task: Task) -> Iterator[WhyReason]:
    if task.cancel_asked_at:
        yield WhyReason(
            Code.CANCEL_ASKED,
            _("Its agent was asked at %(time)s to stop.") % {"time": _clock(task.cancel_asked_at)},
            _("Cancel it at once to take it away."),
            Do("task", task.pk, "force_cancel"),
            {"cancel_asked_at": task.cancel_asked_at},
        )
    words = {
        "agent": task.agent_id,
        "time": _clock(task.claimed_at),
        "until": _clock(task.lease_expires_at),
    }
    text = (
        _("Agent %(agent)s has been running it since %(time)s, with a lease until %(until)s.")
        if task.lease_expires_at
        else _("Agent %(agent)s has been running it since %(time)s.")
    )
    online = Agent.objects.online().filter(pk=task.agent_id).exists()
    remedy = "" if online else _("The agent is silent: reset it to take back its tasks.")
    yield WhyReason(
        Code.RUNNING,
        text % words,
        remedy,
        Do("agent", task.agent_id, "reset") if remedy and task.agent_id else None,
        {
            "agent_id": task.agent_id,
            "claimed_at": task.claimed_at,
            "lease_expires_at": task.lease_expires_at,
            "online": online,
        },
    )


def _locked(task: Task) -> WhyReason:
    return WhyReason(
        Code.LOCKED,
        _("It has been locked since agent %(agent)s lost it, and waits for a person: %(reason)s")
        % {"agent": task.last_holder, "reason": task.fail_reason},
        _("Unlock it: back to the queue, or to done."),
        Do("task", task.pk, "unlock_to_queued"),
        {"chain_id": task.chain_id, "agent_id": task.last_holder, "reason": task.fail_reason},
    )


def _dead(task: Task) -> WhyReason:
    texts = {
        DeadLetter.EXHAUSTED: ngettext(
            "A dead letter: its only attempt failed.",
            "A dead letter: all its %(number)d attempts failed.",
            task.attempts,
        )
        % {"number": task.attempts},
        DeadLetter.NOT_RETRIABLE: _("A dead letter: it failed for good."),
        DeadLetter.LEASE_EXPIRED: _("A dead letter: its last lease expired."),
        DeadLetter.AGENTS_LOST: _("A dead letter: too many agents in a row were lost with it."),
        DeadLetter.UNSUPPORTED: _("A dead letter: too many agents have refused it."),
        DeadLetter.TIMEOUT: _("A dead letter: it took longer than it may."),
        DeadLetter.UNSERVED: _("A dead letter: no agent came that offers what it requires."),
    }
    text = texts[DeadLetter(task.dead_letter)]
    return WhyReason(
        Code.DEAD_LETTER,
        f"{text} {task.fail_reason}".strip(),
        _("Fix the cause of the failure, then requeue it."),
        Do("task", task.pk, "requeue"),
        {"dead_letter": task.dead_letter, "reason": task.fail_reason},
    )
