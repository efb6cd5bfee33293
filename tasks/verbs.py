"""What people may do to tasks."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from agents import transitions as agents
from agents.models import Agent
from console.verbs import By, Key, Preview, Values, Verb, VerbResult, When, by_key, one_by_one
from tasks import batches, transitions
from tasks.exceptions import WrongStatus
from tasks.models import Task
from tasks.querysets import TaskQuerySet
from tasks.states import OPEN, Status

CANCELLABLE = OPEN | {Status.CANCELLED}
"""The same again changes nothing."""
QUEUED = When(status=[Status.QUEUED])
RUNNING = When(status=[Status.IN_PROGRESS])
FAILED = When(status=[Status.FAILED])
LOCKED = When(status=[Status.LOCKED])
WITH_TURN = When(status=[Status.QUEUED], blocked=False)
LOWEST, HIGHEST = -(2**31), 2**31 - 1

One = Callable[[Task, By, Values], object]
Many = Callable[[TaskQuerySet, By, Values], object]

KEPT = ("status", "agent", "priority", "attempts", "cancel_asked_at")
"""The columns that `snapshot` reads."""


def snapshot(task: Task) -> dict[str, object]:
    return {
        "status": task.status,
        "agent": task.agent_id,
        "priority": task.priority,
        "attempts": task.attempts,
        "cancel_asked": task.cancel_asked_at is not None,
    }


def _alone(rows: QuerySet[Task]) -> QuerySet[Task]:
    """Tasks without a chain: to change these locks nothing but themselves."""
    return rows.filter(chain=None)


def _one_or_many(
    one: One, many: Many, fits: frozenset[Status]
) -> Callable[[QuerySet[Task], By, Values], VerbResult]:
    """The `apply` of a verb with one transition for a task, and one for many in these statuses."""

    def apply(rows: QuerySet[Task], by: By, values: Values) -> VerbResult:
        keys: list[Key] = list(rows.values_list("pk", flat=True))
        if len(keys) == 1:
            return one_by_one(one)(rows, by, values)
        locked = Task.objects.filter(pk__in=keys).lock().values_list("pk", "status")
        handled = VerbResult()
        for key, status in locked:
            if status in fits:
                handled.done.append(key)
            else:
                handled.refused.append((key, WrongStatus(f"Task {key} is {status}.")))
        many(Task.objects.filter(pk__in=handled.done), by, values)
        return handled

    return apply


def _assignable(rows: QuerySet[Task], values: Values) -> QuerySet[Task]:
    """Those that the agent can have, or that some agent can while none is chosen."""
    ready = WITH_TURN(rows, values).filter(postponed=False)
    agent = values.get("agent")
    if not isinstance(agent, Agent):
        return ready
    lost = Agent.objects.lost().filter(pk=agent.pk)
    if agent.draining or lost.exists() or transitions.is_full(agent):
        return ready.none()
    return ready.filter(Q(reserved_for=None) | Q(reserved_for=agent))


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


def _lock(rows: QuerySet[Task], values: Values) -> None:
    agent = values.get("agent")
    if isinstance(agent, Agent):
        agents.lock([agent.pk])
    owner = agent if isinstance(agent, Agent) else None
    transitions.lock(rows.values_list("pk", flat=True), owner=owner)


_cancel = _one_or_many(
    lambda task, by, _: transitions.cancel(task.pk, by=by.actor, reason=by.reason),
    lambda tasks, by, _: batches.cancel_all(tasks, by=by.actor, reason=by.reason),
    CANCELLABLE,
)
_requeue = _one_or_many(
    lambda task, by, _: transitions.requeue(task.pk, by=by.actor, reason=by.reason),
    lambda tasks, by, _: batches.requeue_all(tasks, by=by.actor, reason=by.reason),
    frozenset({Status.FAILED}),
)
_prioritize = _one_or_many(
    lambda task, by, values: transitions.prioritize(
        task.pk, _number(values), by=by.actor, reason=by.reason
    ),
    lambda tasks, by, values: batches.prioritize_all(
        tasks, _number(values), by=by.actor, reason=by.reason
    ),
    frozenset({Status.QUEUED}),
)


@one_by_one
def _force_cancel(task: Task, by: By, values: Values) -> None:
    if task.status != Status.IN_PROGRESS:
        raise WrongStatus(f"Task {task.pk} is {task.status}.")
    transitions.cancel(task.pk, by=by.actor, reason=by.reason, force=True)


@one_by_one
def _assign(task: Task, by: By, values: Values) -> None:
    transitions.assign(task.pk, _agent(values).pk, by=by.actor, reason=by.reason)


AGENT = forms.ModelChoiceField(
    Agent.objects.all(),
    label=_("Agent"),
    widget=AutocompleteSelect(Task._meta.get_field("agent"), admin.site),
)
PRIORITY = forms.IntegerField(
    label=_("Priority"), min_value=LOWEST, max_value=HIGHEST, help_text=_("Higher runs first.")
)
UNLOCKS: list[Preview[Task]] = [
    Preview(
        LOCKED,
        ngettext_lazy(
            "Unlocks %(count)d task; its chain goes on.",
            "Unlocks %(count)d tasks; their chains go on.",
            "count",
        ),
        ngettext_lazy(
            "%(count)d task is not locked and will refuse.",
            "%(count)d tasks are not locked and will refuse.",
            "count",
        ),
    ),
]
TASK_VERBS: list[Verb[Task]] = [
    Verb(
        "cancel",
        _("Cancel"),
        [
            Preview(
                When(status=OPEN - {Status.IN_PROGRESS}),
                ngettext_lazy(
                    "Cancels %(count)d task that waits.",
                    "Cancels %(count)d tasks that wait.",
                    "count",
                ),
            ),
            Preview(
                When(status=[Status.IN_PROGRESS], cancel_asked_at=False),
                ngettext_lazy(
                    "Asks the agent of %(count)d task in progress to stop.",
                    "Asks the agents of %(count)d tasks in progress to stop.",
                    "count",
                ),
            ),
            Preview(
                When(status=[Status.IN_PROGRESS], cancel_asked_at=True),
                ngettext_lazy(
                    "The agent of %(count)d task has already been asked to stop.",
                    "The agents of %(count)d tasks have already been asked to stop.",
                    "count",
                ),
            ),
            Preview(
                When(status=CANCELLABLE),
                refuses=ngettext_lazy(
                    "%(count)d task has ended and stays as it is.",
                    "%(count)d tasks have ended and stay as they are.",
                    "count",
                ),
            ),
        ],
        _cancel,
        snapshot,
        When(status=OPEN),
        at_once=_alone,
        columns=KEPT,
        lock=_lock,
    ),
    Verb(
        "force_cancel",
        _("Cancel at once"),
        [
            Preview(
                RUNNING,
                ngettext_lazy(
                    "Takes %(count)d task in progress from its agent; its result will not count.",
                    "Takes %(count)d tasks in progress from their agents;"
                    " their results will not count.",
                    "count",
                ),
                ngettext_lazy(
                    "%(count)d task is not in progress and will refuse.",
                    "%(count)d tasks are not in progress and will refuse.",
                    "count",
                ),
            ),
        ],
        _force_cancel,
        snapshot,
        RUNNING,
        icon="cancel",
    ),
    Verb(
        "requeue",
        _("Requeue"),
        [
            Preview(
                FAILED,
                ngettext_lazy(
                    "Puts %(count)d failed task back in the queue, with all its attempts.",
                    "Puts %(count)d failed tasks back in the queue, with all their attempts.",
                    "count",
                ),
                ngettext_lazy(
                    "%(count)d task has not failed and will refuse.",
                    "%(count)d tasks have not failed and will refuse.",
                    "count",
                ),
            ),
        ],
        _requeue,
        snapshot,
        FAILED,
        at_once=_alone,
        columns=KEPT,
        lock=_lock,
    ),
    Verb(
        "unlock_to_queued",
        _("Unlock to queued"),
        UNLOCKS,
        by_key(transitions.unlock, Status.QUEUED),
        snapshot,
        LOCKED,
        lock=_lock,
    ),
    Verb(
        "unlock_to_done",
        _("Unlock to done"),
        UNLOCKS,
        by_key(transitions.unlock, Status.DONE),
        snapshot,
        LOCKED,
        lock=_lock,
    ),
    Verb(
        "reassign",
        _("Assign"),
        [
            Preview(
                _assignable,
                ngettext_lazy(
                    "Gives %(count)d queued task to the agent, as if it had claimed it.",
                    "Gives %(count)d queued tasks to the agent, as if it had claimed them.",
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
        WITH_TURN,
        fields={"agent": AGENT},
        lock=_lock,
    ),
    Verb(
        "prioritize",
        _("Change priority"),
        [
            Preview(
                QUEUED,
                ngettext_lazy(
                    "Moves %(count)d queued task to another position.",
                    "Moves %(count)d queued tasks to other positions.",
                    "count",
                ),
                ngettext_lazy(
                    "%(count)d task is not queued and will refuse.",
                    "%(count)d tasks are not queued and will refuse.",
                    "count",
                ),
            ),
        ],
        _prioritize,
        snapshot,
        QUEUED,
        fields={"priority": PRIORITY},
        at_once=_alone,
        columns=KEPT,
        lock=_lock,
    ),
]
