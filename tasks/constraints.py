"""How the database keeps tasks: the ways to find them, and what it never lets be."""

from django.db import models
from django.db.models import F, Q

from tasks.querysets import IN_ORDER
from tasks.states import FINISHED, OPEN, DeadLetter, Status

TASK_INDEXES: list[models.Index] = [
    models.Index(
        "channel",
        *IN_ORDER,
        condition=Q(free=True, chain=None, requirement=None),
        name="task_free_alone",
    ),
    models.Index(
        "channel",
        *IN_ORDER,
        condition=Q(free=True, chain__isnull=False),
        name="task_free_in_chain",
    ),
    models.Index(
        "channel",
        "requirement",
        *IN_ORDER,
        condition=Q(free=True, requirement__isnull=False),
        name="task_free_for_some",
    ),
    models.Index(fields=["available_at"], condition=Q(postponed=True), name="task_postponed"),
    models.Index(
        fields=["job", "status", "id"],
        condition=Q(job__isnull=False),
        name="task_job_progress",
    ),
    models.Index(
        fields=["job", "-finished_at"],
        condition=Q(job__isnull=False, finished_at__isnull=False),
        name="task_job_finished",
    ),
    models.Index(
        fields=["-finished_at", "id"],
        condition=~Q(dead_letter=""),
        name="task_dead_letter",
    ),
    models.Index(
        fields=["reserved_for"],
        condition=Q(reserved_for__isnull=False),
        name="task_reserved_for",
    ),
    models.Index(
        fields=["agent"],
        condition=Q(status=Status.IN_PROGRESS),
        name="task_held_by",
    ),
    models.Index(
        fields=["lease_expires_at"],
        condition=Q(lease_expires_at__isnull=False),
        name="task_lease_expiry",
    ),
    models.Index(
        fields=["chain", "status", "sequence"],
        condition=Q(chain__isnull=False),
        name="task_chain_progress",
    ),
    models.Index(fields=["status", "id"], name="task_status"),
    models.Index(fields=["channel", "id"], name="task_channel"),
    models.Index(fields=["agent", "id"], condition=Q(agent__isnull=False), name="task_agent"),
    models.Index(
        fields=["-finished_at", "id"],
        condition=Q(finished_at__isnull=False),
        name="task_finished",
    ),
    models.Index(
        fields=["session_token"],
        condition=~Q(session_token=""),
        name="task_session_token",
    ),
]

TASK_CONSTRAINTS: list[models.BaseConstraint] = [
    models.CheckConstraint(
        condition=Q(status=Status.IN_PROGRESS, agent__isnull=False)
        | Q(status=Status.QUEUED, agent=None)
        | ~Q(status__in=[Status.IN_PROGRESS, Status.QUEUED]),
        name="task_is_held_while_in_progress",
    ),
    models.CheckConstraint(
        condition=Q(lease_expires_at=None) | Q(status=Status.IN_PROGRESS),
        name="task_is_leased_only_in_progress",
    ),
    models.CheckConstraint(
        condition=Q(status__in=sorted(FINISHED), finished_at__isnull=False)
        | Q(status__in=sorted(OPEN), finished_at=None),
        name="task_is_finished_or_open",
    ),
    models.CheckConstraint(
        condition=Q(chain=None, sequence=0, blocked=False, reserved_for=None)
        | Q(chain__isnull=False, sequence__gte=1),
        name="task_without_chain_stands_alone",
    ),
    models.CheckConstraint(
        condition=Q(chain=None) | Q(job=None, requirement=None),
        name="task_of_a_chain_has_no_job",
    ),
    models.CheckConstraint(
        condition=Q(postponed=False) | Q(status=Status.QUEUED),
        name="task_is_postponed_only_while_queued",
    ),
    models.CheckConstraint(
        condition=Q(status=Status.FAILED, dead_letter__in=DeadLetter.values)
        | (~Q(status=Status.FAILED) & Q(dead_letter="")),
        name="task_is_a_dead_letter_when_failed",
    ),
    models.CheckConstraint(
        condition=Q(reserved_for=None) | Q(status__in=sorted(OPEN)),
        name="task_is_reserved_only_while_open",
    ),
    models.CheckConstraint(
        condition=Q(closed_epoch__lte=F("lease_epoch")),
        name="task_closes_only_epochs_it_had",
    ),
    models.UniqueConstraint(
        fields=["chain", "sequence"],
        condition=Q(chain__isnull=False),
        name="task_sequence_is_unique_in_its_chain",
    ),
    models.UniqueConstraint(
        fields=["chain"],
        condition=Q(status=Status.QUEUED, blocked=False, chain__isnull=False),
        name="task_has_the_turn_alone",
    ),
    models.UniqueConstraint(
        fields=["chain"],
        condition=Q(status__in=[Status.IN_PROGRESS, Status.LOCKED], chain__isnull=False),
        name="task_of_a_chain_runs_alone",
    ),
    models.UniqueConstraint(
        fields=["channel", "idempotency_key"],
        condition=~Q(idempotency_key=""),
        name="task_key_is_unique_in_its_channel",
    ),
]
