"""What a page starts with: an overview, and the cursor from which to go on."""

from agents.answers import NotificationSerializer
from agents.models import Agent, Notification
from api.renderers import dumps
from dashboard import counters, deltas, hub, rows
from dashboard.snapshot import MOST_EVENTS
from events import tail
from events.models import Event
from jobs.models import Job

MOST_AGENTS = 500
MOST_JOBS = 20
MOST_NOTIFICATIONS = 100


def picture() -> bytes:
    """The overview as JSON without its closing brace: what depends on the caller is added to it."""
    # The cursor first: what happens while the rest is read is sent again, never left out.
    cursor = hub.cursor_of_now()
    numbers = deltas.numbers()
    agents = Agent.objects.with_online().order_by("-last_seen_at", "id")[:MOST_AGENTS]
    notes = Notification.objects.shown()
    return (
        dumps(
            {
                "cursor": str(cursor),
                "counters": numbers.counters,
                "channels": numbers.channels,
                "agents": rows.agents(agents),
                "jobs": latest_jobs(),
                "events": [rows.event(row) for row in latest_events()],
                "attention": numbers.attention,
                "notifications": [
                    NotificationSerializer.shown(note) for note in notes[:MOST_NOTIFICATIONS]
                ],
            }
        )
        .rstrip()
        .removesuffix(b"}")
    )


def latest_jobs() -> list[rows.Row]:
    """Open jobs, the newest first, then those that have ended."""
    newest = Job.objects.order_by("-pk")
    ids = list(newest.open().values_list("pk", flat=True)[:MOST_JOBS])
    if len(ids) < MOST_JOBS:
        ended = newest.exclude(status__in=["PENDING", "RUNNING"])
        ids += ended.values_list("pk", flat=True)[: MOST_JOBS - len(ids)]
    return rows.jobs(Job.objects.counted().filter(pk__in=ids).order_by("-pk")) if ids else []


def latest_events() -> list[tail.TailRow]:
    """The last rows of the journal, the newest first."""
    return [
        tail.TailRow(
            event.id,
            event.type,
            event.source,
            event.agent_id,
            event.task_id,
            event.chain_id,
            event.channel_id,
            None,
            event.job_id,
            event.created_at,
            event.actor,
            event.reason,
        )
        for event in Event.objects.defer("payload").order_by("-id")[:MOST_EVENTS]
    ]


overview = counters.Kept(picture)
