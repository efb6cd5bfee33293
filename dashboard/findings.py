"""What may need a person, looked for by a bounded query for each kind, however much there is."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import ngettext

from agents.models import Agent, Presence, Protocol
from agents.querysets import online_since, unheard
from chains.models import Chain, ChainStatus
from dashboard import channel_findings
from dashboard.attention import (
    MOST_COUNTED,
    MOST_SUBJECTS,
    MOST_TITLE,
    Finding,
    Kind,
    Severity,
    Subject,
    Words,
    of_kind,
)
from jobs.models import Job, JobStatus
from tasks.models import Task
from tasks.statements import raw
from tasks.states import DeadLetter

MOST_LETTERS = 2_000  # the latest
MOST_HOLDERS = 10_000

DETAILS = "/health/details"
LOCKED_CHAINS = "/admin/chains/chain/?status__exact=locked"

SILENT_FOR = timedelta(minutes=2)
"""An agent that works may be silent for a while."""

# From one agent that holds something to the next, by the index of tasks in progress; then owners.
HOLDERS = f"""
WITH RECURSIVE holder (id, nth) AS (
  (SELECT agent_id, 1 FROM tasks_task WHERE status = 'in_progress' ORDER BY agent_id LIMIT 1)
  UNION ALL
  SELECT (SELECT t.agent_id FROM tasks_task t
    WHERE t.status = 'in_progress' AND t.agent_id > holder.id ORDER BY t.agent_id LIMIT 1), nth + 1
  FROM holder WHERE id IS NOT NULL AND nth < {MOST_HOLDERS})
SELECT id FROM holder WHERE id IS NOT NULL
UNION SELECT owner_id FROM chains_chain WHERE owner_id IS NOT NULL"""  # noqa: S608

# The latest dead letters by their index; of each cause the first few are named.
LETTERS = f"""
WITH letters AS MATERIALIZED (
  SELECT id, dead_letter, finished_at FROM tasks_task WHERE dead_letter <> ''
  ORDER BY finished_at DESC, id LIMIT {MOST_LETTERS}),
placed AS (
  SELECT *, count(*) OVER cause AS number, min(finished_at) OVER cause AS first,
    row_number() OVER (PARTITION BY dead_letter ORDER BY finished_at DESC, id) AS place
  FROM letters WINDOW cause AS (PARTITION BY dead_letter))
SELECT p.dead_letter, p.number, p.first, p.finished_at, p.id,
  (SELECT left(t.title, {MOST_TITLE}) FROM tasks_task t WHERE t.id = p.id),
  (SELECT count(*) FROM letters)
FROM placed p WHERE place <= {MOST_SUBJECTS} ORDER BY p.dead_letter, place"""  # noqa: S608


def collect() -> Iterator[Finding]:
    """Everything that is found now."""
    yield from locked_chains()
    yield from absent_agents()
    yield from dead_letters()
    yield from channel_findings.collect()
    yield from jobs_that_stand_still()


def locked_chains() -> Iterator[Finding]:
    """Chains that wait until a person unlocks them."""
    locked = Chain.objects.filter(status=ChainStatus.LOCKED).order_by("status", "id")
    rows = list(locked.values_list("pk", "name", "updated_at")[: MOST_COUNTED + 1])
    subjects = [Subject(str(pk), name, f"#/chains/{pk}", at) for pk, name, at in rows]
    yield from of_kind(
        Kind.CHAIN_LOCKED,
        Severity.ALARM,
        lambda count, shown: (
            ngettext(
                "%(n)s chain is locked until a person decides.",
                "%(n)s chains are locked until a person decides.",
                count,
            )
            % {"n": shown}
        ),
        subjects,
        LOCKED_CHAINS,
        of="chains",
        verbs=("unlock_to_queued", "unlock_to_done"),
    )


def absent_agents() -> Iterator[Finding]:
    """Agents that are lost or have been silent for long, and hold tasks or own a chain."""
    absent = Agent.objects.filter(
        ~unheard(),
        pk__in=raw(HOLDERS),
        last_seen_at__lte=online_since(),
    )
    lost, silent = [], []
    known = absent.order_by("last_seen_at", "id").values_list(
        "pk", "name", "announced", "last_seen_at", "protocol"
    )
    now = timezone.now()
    for pk, name, announced, seen_at, protocol in known[: MOST_COUNTED + 1]:
        address = f"#/agents/{quote(pk, safe='')}"
        if announced == Presence.LOST:
            spot = protocol == Protocol.SPOT
            lost_at = seen_at + (settings.SPOT_LOST_AFTER if spot else settings.AGENT_LOST_AFTER)
            lost.append(Subject(pk, name or pk, address, seen_at, found_at=lost_at))
        elif seen_at < now - SILENT_FOR:
            found_at = seen_at + SILENT_FOR
            silent.append(Subject(pk, name or pk, address, seen_at, found_at=found_at))
    yield from of_kind(
        Kind.AGENT_LOST,
        Severity.ALARM,
        lambda count, shown: (
            ngettext(
                "%(n)s agent is lost and still holds tasks or owns a chain.",
                "%(n)s agents are lost and still hold tasks or own a chain.",
                count,
            )
            % {"n": shown}
        ),
        lost,
        "#/agents?presence=lost",
        of="agents",
        verbs=("reset",),
    )
    yield from of_kind(
        Kind.AGENT_SILENT,
        Severity.WARNING,
        lambda count, shown: (
            ngettext(
                "%(n)s agent is silent and holds tasks or owns a chain.",
                "%(n)s agents are silent and hold tasks or own a chain.",
                count,
            )
            % {"n": shown}
        ),
        silent,
        "#/agents?presence=offline",
        of="agents",
        verbs=("reset",),
    )


def dead_letters() -> Iterator[Finding]:
    """Tasks that failed for good, by their cause; of the latest ones."""
    by_cause: dict[str, list[tuple[int, datetime, datetime, UUID, str, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(LETTERS)
        for cause, *row in cursor.fetchall():
            by_cause.setdefault(cause, []).append(tuple(row))
    for cause, rows in by_cause.items():
        number, first, latest, *_, counted = rows[0]
        yield Finding(
            f"dead_letters:{cause}",
            Kind.DEAD_LETTERS,
            Severity.WARNING,
            _failed_for_good(cause),
            f"#/dead-letters?reason={cause}",
            [Subject(str(pk), title, f"#/tasks/{pk}", at) for _, _, at, pk, title, _ in rows],
            number,
            more=counted == MOST_LETTERS,
            since=first,
            latest=latest,
            found_since=first,
            of="tasks",
            verbs=("requeue",),
        )


def _failed_for_good(cause: str) -> Words:
    def words(count: int, shown: str) -> str:
        text = ngettext(
            "%(n)s task failed for good: %(cause)s.",
            "%(n)s tasks failed for good: %(cause)s.",
            count,
        )
        return text % {"n": shown, "cause": because(cause)}

    return words


def because(cause: str) -> str:
    """Why a task failed for good, in the language that is active."""
    return str(DeadLetter(cause).label) if cause in DeadLetter.values else cause


def jobs_that_stand_still() -> Iterator[Finding]:
    """Jobs that run, of which nothing is in progress and nothing has ended for long."""
    held = Task.objects.in_progress().filter(job=OuterRef("pk"))
    still = Job.objects.filter(
        ~Exists(held),
        status=JobStatus.RUNNING,
        updated_at__lt=Now() - settings.STALLED_JOB,
    ).order_by("id")
    rows = still.defer("specification")[: MOST_COUNTED + 1]
    subjects = [
        Subject(
            job.public_id,
            job.name or job.public_id,
            f"#/jobs/{job.public_id}",
            job.updated_at,
            found_at=job.updated_at + settings.STALLED_JOB,
        )
        for job in rows
    ]
    yield from of_kind(
        Kind.JOB_STALLED,
        Severity.WARNING,
        lambda count, shown: (
            ngettext("%(n)s running job stands still.", "%(n)s running jobs stand still.", count)
            % {"n": shown}
        ),
        subjects,
        "#/jobs",
        of="jobs",
        verbs=("cancel",),
    )


def late_passes(late: Sequence[tuple[str, datetime, datetime]]) -> Iterator[Finding]:
    """Passes of the loop by their names, when each last succeeded, and when it became late."""
    yield from of_kind(
        Kind.PASS_LATE,
        Severity.ALARM,
        lambda count, shown: (
            ngettext(
                "%(n)s pass of the maintenance loop is late.",
                "%(n)s passes of the maintenance loop are late.",
                count,
            )
            % {"n": shown}
        ),
        [Subject(name, name, DETAILS, since, found_at=at) for name, since, at in late],
        DETAILS,
    )
