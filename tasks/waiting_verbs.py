"""What people may do to tasks that wait, or waited until they were cancelled."""

from django.db.models import Q, QuerySet
from django.utils.translation import gettext, ngettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from console.conditions import Values, When
from console.verbs import By, Preview, Verb, by_key, one_by_one
from tasks import batches, moves, transitions
from tasks.fields import agent_field, channel_field, priority_field
from tasks.models import Channel, Task
from tasks.states import Status
from tasks.verb_parts import KEPT, alone, lock, one_or_many, snapshot

QUEUED = When(status=[Status.QUEUED])
CANCELLED = When({"restorable": moves.restorable}, restorable=True)
ASSIGNABLE = When(
    {"available_at": lambda: Q(postponed=True)},  # rows of pages show it while it is to come
    status=[Status.QUEUED],
    blocked=False,
    available_at=False,
)
MOVABLE = When(
    {"chain_id": lambda: Q(chain__isnull=False), "job_id": lambda: Q(job__isnull=False)},
    status=[Status.QUEUED],
    chain_id=False,
    job_id=False,
)


def _moves(rows: QuerySet[Task], values: Values) -> QuerySet[Task]:
    """Those that another priority moves."""
    priority = values.get("priority")
    queued = QUEUED(rows, values)
    return queued.exclude(priority=priority) if isinstance(priority, int) else queued


def _elsewhere(rows: QuerySet[Task], values: Values) -> QuerySet[Task]:
    channel = values.get("channel")
    other = rows.exclude(channel=channel) if isinstance(channel, Channel) else rows
    return MOVABLE(other, values)


def _who_serves(rows: QuerySet[Task], values: Values) -> list[str]:
    """Who may claim from the channel to which tasks are moved."""
    channel = values.get("channel")
    if not isinstance(channel, Channel):
        return []
    names = {"channel": channel.name}
    if channel.paused_at is not None:
        return [gettext("Channel %(channel)s is paused: claims get nothing from it.") % names]
    working = Agent.objects.online().filter(draining=False)
    count = working.subscribed_to(channel.name).count()
    if not count:
        return [gettext("No agent that is online is subscribed to %(channel)s.") % names]
    serve = ngettext(
        "%(count)d agent that is online is subscribed to %(channel)s.",
        "%(count)d agents that are online are subscribed to %(channel)s.",
        count,
    )
    return [serve % {**names, "count": count}]


def _number(values: Values) -> int:
    priority = values["priority"]
    if not isinstance(priority, int):
        raise TypeError(f"{priority!r} is no priority")
    return priority


def _agent(values: Values) -> Agent:
    agent = values["agent"]
    if not isinstance(agent, Agent):
        raise TypeError(f"{agent!r} is no agent")
    return agent


_prioritize = one_or_many(
    lambda task, by, values: transitions.prioritize(
        task.pk, _number(values), by=by.actor, reason=by.reason
    ),
    lambda tasks, by, values: batches.prioritize_all(
        tasks, _number(values), by=by.actor, reason=by.reason
    ),
    frozenset({Status.QUEUED}),
)


@one_by_one
def _assign(task: Task, by: By, values: Values) -> None:
    transitions.assign(task.pk, _agent(values).pk, by=by.actor, reason=by.reason)


@one_by_one
def _move(task: Task, by: By, values: Values) -> None:
    channel = values["channel"]
    if not isinstance(channel, Channel):
        raise TypeError(f"{channel!r} is no channel")
    moves.move(task.pk, channel.pk, by=by.actor, reason=by.reason)


WAITING_VERBS: list[Verb[Task]] = [
    Verb(
        "restore",
        _("Undo the cancellation"),
        [
            Preview(
                CANCELLED,
                ngettext_lazy(
                    "Puts %(count)d cancelled task back in the queue, at its place.",
                    "Puts %(count)d cancelled tasks back in the queue, at their places.",
                    "count",
                ),
                ngettext_lazy(
                    "%(count)d task is not cancelled, or somebody has noticed; it will refuse.",
                    "%(count)d tasks are not cancelled, or somebody has noticed; they will refuse.",
                    "count",
                ),
            ),
        ],
        by_key(moves.restore),
        snapshot,
        CANCELLED,
        lock=lock,
        help=_("It waits again, as long as nobody has noticed."),
        icon="undo",
    ),
    Verb(
        "reassign",
        _("Assign"),
        [
            Preview(
                ASSIGNABLE,
                ngettext_lazy(
                    "Gives %(count)d queued task to agent %(agent)s, as if it had claimed it.",
                    "Gives %(count)d queued tasks to agent %(agent)s, as if it had claimed them.",
                    "count",
                ),
                ngettext_lazy(
                    "%(count)d task cannot be assigned now and will refuse.",
                    "%(count)d tasks cannot be assigned now and will refuse.",
                    "count",
                ),
            ),
        ],
        _assign,
        snapshot,
        ASSIGNABLE,
        fields={"agent": agent_field()},
        lock=lock,
        help=_("Gives it to one agent now; whose turn it is and who owns its chain still counts."),
        icon="person_add",
    ),
    Verb(
        "prioritize",
        _("Change priority"),
        [
            Preview(
                _moves,
                ngettext_lazy(
                    "Gives %(count)d queued task priority %(priority)s.",
                    "Gives %(count)d queued tasks priority %(priority)s.",
                    "count",
                ),
            ),
            Preview(
                QUEUED,
                refuses=ngettext_lazy(
                    "%(count)d task is not queued and will refuse.",
                    "%(count)d tasks are not queued and will refuse.",
                    "count",
                ),
            ),
        ],
        _prioritize,
        snapshot,
        QUEUED,
        fields={"priority": priority_field()},
        at_once=alone,
        columns=KEPT,
        lock=lock,
        help=_("Moves it in the queue."),
        icon="swap_vert",
    ),
    Verb(
        "move",
        _("Move to another channel"),
        [
            Preview(
                _elsewhere,
                ngettext_lazy(
                    "Moves %(count)d queued task to channel %(channel)s.",
                    "Moves %(count)d queued tasks to channel %(channel)s.",
                    "count",
                ),
            ),
            _who_serves,
            Preview(
                MOVABLE,
                refuses=ngettext_lazy(
                    "%(count)d task is not queued, or belongs to a chain or a job,"
                    " and will refuse.",
                    "%(count)d tasks are not queued, or belong to a chain or a job,"
                    " and will refuse.",
                    "count",
                ),
            ),
        ],
        _move,
        snapshot,
        MOVABLE,
        fields={"channel": channel_field()},
        lock=lock,
        help=_("Other agents may have it then: those of that channel."),
        icon="low_priority",
    ),
]
