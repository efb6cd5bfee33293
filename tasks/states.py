"""The life of a task, on one page.

queued ──claim, assign──▶ in_progress ──complete──▶ done
  ▲ ▲                      │  │  │  └──fail, final or attempts spent──▶ failed ──requeue──▶ queued
  │ └──retry (a fail that says so; expiry and loss of a chainless task)
  │                        │  └──detach, expiry or loss in a chain──▶ locked
  └──────unlock────────────┼───────────────────────────────────────── locked ──unlock──▶ done
queued, locked ──cancel──▶ cancelled ◀──cancel asked, then the hold ends──┘
queued ──late report of the last holder──▶ done
"""

from collections.abc import Mapping

from django.db import models


class Status(models.TextChoices):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    FAILED = "failed"
    LOCKED = "locked"
    CANCELLED = "cancelled"


class DeadLetter(models.TextChoices):
    """Why a task failed for good."""

    EXHAUSTED = "exhausted"
    NOT_RETRIABLE = "not_retriable"
    LEASE_EXPIRED = "lease_expired"
    AGENTS_LOST = "agents_lost"
    UNSUPPORTED = "unsupported"


OPEN = frozenset({Status.QUEUED, Status.IN_PROGRESS, Status.LOCKED})
FINISHED = frozenset({Status.DONE, Status.FAILED, Status.CANCELLED})

ALLOWED: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.IN_PROGRESS, Status.DONE, Status.CANCELLED}),
    Status.IN_PROGRESS: frozenset(
        {Status.QUEUED, Status.DONE, Status.FAILED, Status.LOCKED, Status.CANCELLED}
    ),
    Status.LOCKED: frozenset({Status.QUEUED, Status.DONE, Status.CANCELLED}),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.DONE: frozenset(),
    Status.CANCELLED: frozenset(),
}
