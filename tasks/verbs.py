"""What people may do to tasks and channels; each verb tells beforehand what it will change."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.permissions import OPERATE
from agents.models import Agent
from console.sentences import told
from console.verbs import By, Key, Values, Verb, VerbResult, one_by_one
from tasks import batches, transitions
from tasks.exceptions import WrongStatus
from tasks.models import Task
from tasks.querysets import TaskQuerySet
from tasks.states import OPEN, Status

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


def _tasks(rows: QuerySet[Task]) -> TaskQuerySet:
    return Task.objects.filter(pk__in=rows.order_by().values("pk"))


def _alone(rows: QuerySet[Task]) -> QuerySet[Task]:
    """Tasks without a chain: to change these locks nothing but themselves."""
    return rows.filter(chain=None)


def _never_asked(rows: QuerySet[Task]) -> QuerySet[Task]:
    """Of these, those that are not taken from their agent by being cancelled a second time."""
    return _alone(rows).filter(cancel_asked_at=None)


def _one_or_many(
    one: One, many: Many, fits: frozenset[Status]
) -> Callable[[QuerySet[Task], By, Values], VerbResult]:
    """The `apply` of a verb that has a way for a task, and one for many in such statuses."""

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


def _cancel_will(rows: QuerySet[Task], values: Values) -> list[str]:
    tasks = _tasks(rows)
    running = tasks.in_progress()
    return told(
        (
            tasks.open().exclude(status=Status.IN_PROGRESS).count(),
            ngettext_lazy(
                "Cancels %(count)d task that waits.", "Cancels %(count)d tasks that wait.", "count"
            ),
        ),
        (
            running.exclude(pk__in=running.cancel_asked().values("pk")).count(),
            ngettext_lazy(
                "Asks the agent of %(count)d task in progress to stop.",
                "Asks the agents of %(count)d tasks in progress to stop.",
                "count",
            ),
        ),
        (
            running.cancel_asked().count(),
            ngettext_lazy(
                "Takes %(count)d task from its agent, which was asked before.",
                "Takes %(count)d tasks from their agents, which were asked before.",
                "count",
            ),
        ),
        (
            tasks.finished().exclude(status=Status.CANCELLED).count(),
            ngettext_lazy(
                "%(count)d task has ended and stays as it is.",
                "%(count)d tasks have ended and stay as they are.",
                "count",
            ),
        ),
    )


def _requeue_will(rows: QuerySet[Task], values: Values) -> list[str]:
    tasks = _tasks(rows)
    failed = tasks.failed().count()
    return told(
        (
            failed,
            ngettext_lazy(
                "Puts %(count)d failed task back in line, with all its attempts.",
                "Puts %(count)d failed tasks back in line, with all their attempts.",
                "count",
            ),
        ),
        (
            tasks.count() - failed,
            ngettext_lazy(
                "%(count)d task has not failed and will refuse.",
                "%(count)d tasks have not failed and will refuse.",
                "count",
            ),
        ),
    )


def _unlock_will(rows: QuerySet[Task], values: Values) -> list[str]:
    tasks = _tasks(rows)
    locked = tasks.locked().count()
    return told(
        (
            locked,
            ngettext_lazy(
                "Unlocks %(count)d task; its chain goes on.",
                "Unlocks %(count)d tasks; their chains go on.",
                "count",
            ),
        ),
        (
            tasks.count() - locked,
            ngettext_lazy(
                "%(count)d task is not locked and will refuse.",
                "%(count)d tasks are not locked and will refuse.",
                "count",
            ),
        ),
    )


def _assign_will(rows: QuerySet[Task], values: Values) -> list[str]:
    tasks = _tasks(rows)
    ready = tasks.with_turn().count()
    return told(
        (
            ready,
            ngettext_lazy(
                "Gives %(count)d queued task to the agent, as if it had claimed it.",
                "Gives %(count)d queued tasks to the agent, as if it had claimed them.",
                "count",
            ),
        ),
        (
            tasks.count() - ready,
            ngettext_lazy(
                "%(count)d task is not to be had now and will refuse.",
                "%(count)d tasks are not to be had now and will refuse.",
                "count",
            ),
        ),
    )


def _prioritize_will(rows: QuerySet[Task], values: Values) -> list[str]:
    tasks = _tasks(rows)
    queued = tasks.queued().count()
    return told(
        (
            queued,
            ngettext_lazy(
                "Moves %(count)d queued task to another place in line.",
                "Moves %(count)d queued tasks to another place in line.",
                "count",
            ),
        ),
        (
            tasks.count() - queued,
            ngettext_lazy(
                "%(count)d task is not in line and will refuse.",
                "%(count)d tasks are not in line and will refuse.",
                "count",
            ),
        ),
    )


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


_cancel = _one_or_many(
    lambda task, by, _: transitions.cancel(task.pk, by=by.actor, reason=by.reason),
    lambda tasks, by, _: batches.cancel_all(tasks, by=by.actor, reason=by.reason),
    OPEN | {Status.CANCELLED},
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
def _unlock_to_queued(task: Task, by: By, values: Values) -> None:
    transitions.unlock(task.pk, Status.QUEUED, by=by.actor, reason=by.reason)


@one_by_one
def _unlock_to_done(task: Task, by: By, values: Values) -> None:
    transitions.unlock(task.pk, Status.DONE, by=by.actor, reason=by.reason)


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
TASK_VERBS: list[Verb[Task]] = [
    Verb(
        "cancel",
        _("Cancel"),
        OPERATE,
        _cancel_will,
        _cancel,
        snapshot,
        at_once=_never_asked,
        columns=KEPT,
    ),
    Verb(
        "requeue",
        _("Requeue"),
        OPERATE,
        _requeue_will,
        _requeue,
        snapshot,
        at_once=_alone,
        columns=KEPT,
    ),
    Verb(
        "unlock_to_queued",
        _("Unlock to queued"),
        OPERATE,
        _unlock_will,
        _unlock_to_queued,
        snapshot,
    ),
    Verb("unlock_to_done", _("Unlock to done"), OPERATE, _unlock_will, _unlock_to_done, snapshot),
    Verb("reassign", _("Assign"), OPERATE, _assign_will, _assign, snapshot, {"agent": AGENT}),
    Verb(
        "prioritize",
        _("Change priority"),
        OPERATE,
        _prioritize_will,
        _prioritize,
        snapshot,
        {"priority": PRIORITY},
        _alone,
        KEPT,
    ),
]
