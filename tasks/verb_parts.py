"""What verbs on tasks have in common: the audit's columns, the order of locks, one or many."""

from collections.abc import Callable

from django.db.models import QuerySet

from agents import transitions as agents
from agents.models import Agent
from console.conditions import Values
from console.verbs import By, Key, VerbResult, one_by_one
from tasks import transitions
from tasks.exceptions import WrongStatus
from tasks.models import Task
from tasks.querysets import TaskQuerySet
from tasks.states import Status

One = Callable[[Task, By, Values], object]
Many = Callable[[TaskQuerySet, By, Values], object]

KEPT = ("status", "agent", "channel", "priority", "attempts", "cancel_asked_at")
"""The columns that `snapshot` reads."""


def snapshot(task: Task) -> dict[str, object]:
    return {
        "status": task.status,
        "agent": task.agent_id,
        "channel": task.channel_id,
        "priority": task.priority,
        "attempts": task.attempts,
        "cancel_asked": task.cancel_asked_at is not None,
    }


def alone(rows: QuerySet[Task]) -> QuerySet[Task]:
    """Tasks without a chain: to change these locks nothing but themselves."""
    return rows.filter(chain=None)


def one_or_many(
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


def lock(rows: QuerySet[Task], values: Values) -> None:
    agent = values.get("agent")
    if isinstance(agent, Agent):
        agents.lock([agent.pk])
    owner = agent if isinstance(agent, Agent) else None
    transitions.lock(rows.values_list("pk", flat=True), owner=owner)
