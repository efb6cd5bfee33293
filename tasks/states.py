"""The life of a task, on one page.

queued ──claim, assign──▶ in_progress ──complete──▶ done
  ▲ ▲                      │  │  │  └──fail, final or attempts spent──▶ failed ──requeue──▶ queued
  │ └──retry (a fail that says so; a release; expiry and loss of a chainless task)
  │                        │  └──detach, expiry or loss in a chain──▶ locked
  └──────unlock────────────┼───────────────────────────────────────── locked ──unlock──▶ done
queued, locked ──cancel──▶ cancelled ◀──cancel asked, then the lease ends──┘
cancelled while it waited, and nobody has noticed ──restore──▶ queued
queued ──give up──▶ failed
queued ──late report of the last holder──▶ done
failed by expiry or loss ──late report of the last holder──▶ done

An edge says what a change of status sets beside it. `.update(**EDGE())` and the statements in SQL
take the columns from here; a trigger refuses a change of status that is no edge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Case, ExpressionWrapper, F, Func, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.db.models.lookups import GreaterThan
from django.utils.translation import gettext_lazy as _

Columns = Mapping[str, object]
"""Values and expressions by field, as `QuerySet.update` takes them."""


class Status(models.TextChoices):
    QUEUED = "queued", _("Queued")
    IN_PROGRESS = "in_progress", _("In Progress")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    LOCKED = "locked", _("Locked")
    CANCELLED = "cancelled", _("Cancelled")


class DeadLetter(models.TextChoices):
    """Why a task failed for good."""

    EXHAUSTED = "exhausted", _("no attempts left")
    NOT_RETRIABLE = "not_retriable", _("its agent said so")
    LEASE_EXPIRED = "lease_expired", _("not renewed in time")
    AGENTS_LOST = "agents_lost", _("its agents were lost")
    UNSUPPORTED = "unsupported", _("nobody can run it")
    TIMEOUT = "timeout", _("took too long")
    UNSERVED = "unserved", _("nobody came to run it")


BY_COORDINATOR = frozenset({DeadLetter.LEASE_EXPIRED, DeadLetter.AGENTS_LOST})
"""These follow from no report."""

OPEN = frozenset({Status.QUEUED, Status.IN_PROGRESS, Status.LOCKED})
FINISHED = frozenset({Status.DONE, Status.FAILED, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from some statuses to another: the event it writes and the columns it sets."""

    event: str
    sources: frozenset[Status]
    target: Status
    sets: Columns = field(default_factory=dict)

    def __call__(self, **more: object) -> dict[str, object]:
        """The columns to set, with those that only this change knows."""
        return {"status": self.target, "updated_at": Now(), **self.sets, **more}


WAITING: Columns = {
    "agent": None,
    "claimed_at": None,
    "lease_expires_at": None,
    "finished_at": None,
    "cancel_asked_at": None,
    "dead_letter": "",
    "reserved_for": None,
    # A task of a chain has no turn until the chain is settled.
    "blocked": ExpressionWrapper(Q(chain__isnull=False), models.BooleanField()),
    "postponed": False,
    "available_at": Now(),
}
ENDED: Columns = {
    "finished_at": Now(),
    "lease_expires_at": None,
    "reserved_for": None,
    "blocked": False,
    "postponed": False,
}

CLAIM = Edge(
    "task.claimed",
    frozenset({Status.QUEUED}),
    Status.IN_PROGRESS,
    {"lease_epoch": F("lease_epoch") + 1, "claimed_at": Now()},
)
COMPLETE = Edge(
    "task.completed",
    frozenset({Status.IN_PROGRESS}),
    Status.DONE,
    {**ENDED, "fail_reason": "", "losses": 0, "closed_epoch": F("lease_epoch")},
)
COMPLETE_LATE = Edge(
    "task.completed",
    frozenset({Status.QUEUED, Status.FAILED}),
    Status.DONE,
    {**COMPLETE.sets, "dead_letter": ""},
)
FAIL = Edge("task.failed", frozenset({Status.IN_PROGRESS}), Status.FAILED, ENDED)
GIVE_UP = Edge("task.failed", frozenset({Status.QUEUED}), Status.FAILED, ENDED)
RETRY = Edge("task.retried", frozenset({Status.IN_PROGRESS}), Status.QUEUED, WAITING)
DETACH = Edge(
    "task.locked",
    frozenset({Status.IN_PROGRESS}),
    Status.LOCKED,
    {"lease_expires_at": None, "reserved_for": None},
)
UNLOCK = Edge(
    "task.unlocked", frozenset({Status.LOCKED}), Status.QUEUED, {**WAITING, "fail_reason": ""}
)
UNLOCK_TO_DONE = Edge(
    "task.unlocked", frozenset({Status.LOCKED}), Status.DONE, {**ENDED, "fail_reason": ""}
)
REQUEUE = Edge(
    "task.requeued",
    frozenset({Status.FAILED}),
    Status.QUEUED,
    # A late report on what failed does not count for the new start.
    {
        **WAITING,
        "fail_reason": "",
        "attempts": 0,
        "losses": 0,
        "closed_epoch": F("lease_epoch"),
    },
)
CANCEL = Edge("task.cancelled", OPEN, Status.CANCELLED, ENDED)
RESTORE = Edge(
    "task.restored",
    frozenset({Status.CANCELLED}),
    Status.QUEUED,
    # It waits as before, also for its time.
    {
        **WAITING,
        "available_at": F("available_at"),
        "postponed": GreaterThan(F("available_at"), Now()),
    },
)

EDGES = (
    CLAIM,
    COMPLETE,
    COMPLETE_LATE,
    FAIL,
    GIVE_UP,
    RETRY,
    DETACH,
    UNLOCK,
    UNLOCK_TO_DONE,
    REQUEUE,
    CANCEL,
    RESTORE,
)

EVENTS: Mapping[tuple[Status, Status], str] = {
    (source, edge.target): edge.event for edge in EDGES for source in sorted(edge.sources)
}
"""The event of every change of status that there is."""


class RetryDelay(Func):
    """The pause before the next attempt, as the database reckons it."""

    function = "tasks_retry_delay"
    output_field = models.DurationField()


def paused(attempts: Combinable) -> Columns:
    """What a retry sets beside its edge, after so many attempts."""
    return {
        "postponed": ExpressionWrapper(Q(retry_delay_seconds__gt=0), models.BooleanField()),
        "available_at": Now() + RetryDelay("retry_delay_seconds", attempts),
    }


def first_of(
    cases: Sequence[tuple[Q | Combinable, Columns]], otherwise: Columns
) -> dict[str, object]:
    """The columns of one UPDATE whose rows take different edges: each row the first that fits it.

    A column that an edge does not set stays as it is.
    """
    choices = [columns for _, columns in cases] + [otherwise]
    names = dict.fromkeys(name for columns in choices for name in columns)
    return {name: _chosen(name, cases, otherwise) for name in names}


def _chosen(
    name: str, cases: Sequence[tuple[Q | Combinable, Columns]], otherwise: Columns
) -> object:
    default = otherwise.get(name, F(name))
    values = [(condition, columns.get(name, F(name))) for condition, columns in cases]
    while values and values[-1][1] == default:
        values.pop()
    if not values:
        return default
    column: Any = apps.get_model("tasks", "Task")._meta.get_field(name)
    whens = [When(condition, then=_expression(value)) for condition, value in values]
    return Case(
        *whens,
        default=_expression(default),
        output_field=getattr(column, "target_field", column),
    )


def _expression(value: object) -> object:
    return value if hasattr(value, "resolve_expression") else Value(value)
