"""How the database keeps tasks: the ways to find them, and what it never lets be."""

from collections.abc import Iterable

from django.db import models
from django.db.models import Q

from tasks.queue import ALONE, BY_TYPE, IN_CHAIN, MATCHING, ORDER, TYPED
from tasks.states import FINISHED, OPEN, Status

TASK_INDEXES: list[models.Index] = [
    models.Index("channel", *ORDER, condition=ALONE, name="task_free_alone"),
    models.Index("channel", *ORDER, condition=IN_CHAIN, name="task_free_in_chain"),
    models.Index("channel", "requirement", *ORDER, condition=MATCHING, name="task_free_for_some"),
    models.Index("channel", BY_TYPE, *ORDER, condition=TYPED, name="task_free_of_type"),
    models.Index(fields=["available_at"], condition=Q(postponed=True), name="task_postponed"),
    models.Index(
        fields=["channel", "available_at"],
        condition=Q(postponed=True),
        name="task_postponed_in_channel",
    ),
    models.Index(
        fields=["reserved_for"],
        condition=Q(reserved_for__isnull=False),
        name="task_reserved_for",
    ),
    models.Index(fields=["status", "id"], name="task_status"),
    # Leases that ran out are found among those few.
    models.Index(
        fields=["agent", "id"],
        condition=Q(status=Status.IN_PROGRESS),
        name="task_in_progress",
    ),
    # Few tasks have a type, so it costs what is common nothing.
    models.Index(fields=["type", "id"], condition=~Q(type=""), name="task_of_type"),
    models.Index(
        fields=["-finished_at", "id"],
        condition=Q(finished_at__isnull=False),
        name="task_finished",
    ),
    models.Index(
        fields=["-finished_at", "id"],
        condition=~Q(dead_letter=""),
        name="task_dead_letter",
    ),
    models.Index(fields=["channel", "id"], name="task_channel"),
    models.Index(fields=["agent", "id"], condition=Q(agent__isnull=False), name="task_agent"),
    models.Index(
        fields=["job", "status", "-finished_at", "id"],
        condition=Q(job__isnull=False),
        name="task_of_job",
    ),
    models.Index(
        fields=["chain", "status", "sequence"],
        condition=Q(chain__isnull=False),
        name="task_chain_progress",
    ),
    models.Index(
        fields=["session_token"],
        condition=~Q(session_token=""),
        name="task_session_token",
    ),
]

TASK_CONSTRAINTS: list[models.BaseConstraint] = [
    models.UniqueConstraint(
        fields=["chain", "sequence"],
        condition=Q(chain__isnull=False),
        name="task_sequence_is_unique_in_its_chain",
    ),
    models.UniqueConstraint(
        fields=["chain"],
        condition=Q(chain__isnull=False, finished_at=None, blocked=False),
        name="task_has_the_turn_alone",
    ),
    models.UniqueConstraint(
        fields=["channel", "idempotency_key"],
        condition=~Q(idempotency_key=""),
        name="task_key_is_unique_in_its_channel",
    ),
]

RULES: list[tuple[str, Iterable[Status], str]] = [
    ("task_is_held_while_in_progress", [Status.IN_PROGRESS], "NEW.agent_id IS NOT NULL"),
    ("task_is_held_by_nobody_while_queued", [Status.QUEUED], "NEW.agent_id IS NULL"),
    ("task_is_finished_or_open", OPEN, "NEW.finished_at IS NULL"),
    ("task_is_finished_or_open", FINISHED, "NEW.finished_at IS NOT NULL"),
    (
        "task_is_leased_only_in_progress",
        {*Status} - {Status.IN_PROGRESS},
        "NEW.lease_expires_at IS NULL",
    ),
    ("task_is_postponed_only_while_queued", {*Status} - {Status.QUEUED}, "NOT NEW.postponed"),
    ("task_is_blocked_only_while_queued", {*Status} - {Status.QUEUED}, "NOT NEW.blocked"),
    ("task_is_a_dead_letter_when_failed", [Status.FAILED], "NEW.dead_letter <> ''"),
    (
        "task_is_a_dead_letter_when_failed",
        {*Status} - {Status.FAILED},
        "NEW.dead_letter = ''",
    ),
    ("task_is_reserved_only_while_open", FINISHED, "NEW.reserved_for_id IS NULL"),
    ("task_closes_only_epochs_it_had", Status, "NEW.closed_epoch <= NEW.lease_epoch"),
    (
        "task_without_chain_stands_alone",
        Status,
        "CASE WHEN NEW.chain_id IS NULL"
        " THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL"
        " ELSE NEW.sequence >= 1 END",
    ),
    (
        "task_of_a_chain_has_no_job",
        Status,
        "(NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL))",
    ),
]
"""What holds for a task of such a status, by the name that an error tells.

No CHECK constraints: PostgreSQL reads the stored text of each anew for every statement, which was a
third of the work of a claim (ADR 12). The triggers of tasks/journal.py see to them.
"""


def refuse(name: str, message: str = "") -> str:
    """PL/pgSQL that ends the statement as a constraint of this name would."""
    message = message or f"'{name}'"
    return (
        f"RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = '{name}',"
        f" TABLE = 'tasks_task', MESSAGE = {message};"
    )


def refuse_what_breaks_rules() -> str:
    """A branch for each status, so that a row pays only for the rules of its own."""
    broken = " ".join(
        f"IF NEW.status IN ({_listed(statuses)}) AND ({rule}) IS NOT TRUE"
        f" THEN {refuse(name)} END IF;"
        for name, statuses, rule in RULES
    )
    branches = " ELSIF ".join(
        f"NEW.status = '{status}' THEN sound := "
        + " AND ".join(rule for _, statuses, rule in RULES if status in statuses)
        + ";"
        for status in Status
    )
    return f"IF {branches} END IF; IF sound IS NOT TRUE THEN {broken} END IF;"


def _listed(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{status}'" for status in sorted(statuses))
