"""What pages show of things: small rows, empty fields left out, large ones never read."""

from collections import Counter
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import Count, QuerySet
from django.db.models.fields.json import KeyTransform

from agents.models import Agent, Notification, Presence
from agents.querysets import AgentQuerySet
from api.answers import filled
from chains.models import Chain
from events.models import Source
from events.tail import TailRow
from jobs import progress
from jobs.models import Job, JobKind, JobStatus
from tasks import moves
from tasks.answers import TaskSerializer
from tasks.models import Channel, Task
from tasks.states import Status

MOST_HELD = 5  # tasks that an agent's row names
LARGE: Mapping[str, object] = {"payload": {}, "result": None}
LEFT_OUT = {**LARGE, "description": "", "fail_reason": ""}

Row = dict[str, object]


def tasks(found: QuerySet[Task], left_out: Mapping[str, object] = LEFT_OUT) -> list[Row]:
    """The rows of these tasks as `/v1` has them, without what may be large: that is not read."""
    listed = list(found.defer(*left_out))
    for task in listed:
        vars(task).update(left_out)  # or it would be read task by task
    cancelled = [task.pk for task in listed if task.status == Status.CANCELLED]
    restorable = set()
    if cancelled:
        unnoticed = Task.objects.filter(moves.restorable(), pk__in=cancelled)
        restorable = set(unnoticed.values_list("pk", flat=True))
    return [
        TaskSerializer.shown(task) | filled(restorable=task.pk in restorable or None)
        for task in listed
    ]


def chains(found: Iterable[Chain]) -> list[Row]:
    """The rows of these chains, with what has become of their tasks."""
    listed = list(found)
    ids = [chain.pk for chain in listed]
    counts: dict[UUID, dict[str, int]] = {pk: {} for pk in ids}
    of_chains = Task.objects.filter(chain__in=ids).order_by()
    for pk, status, number in of_chains.values_list("chain", "status").annotate(Count("pk")):
        counts[pk][status] = number
    locked: dict[UUID, list[UUID]] = {}
    current: dict[UUID, UUID] = {}
    active = Task.objects.active().filter(chain__in=ids).order_by("sequence")
    for pk, task, status in active.values_list("chain", "pk", "status"):
        if status == Status.LOCKED:
            locked.setdefault(pk, []).append(task)
        else:
            current[pk] = task
    return [
        {
            "id": chain.pk,
            "channel_id": chain.channel_id,
            "name": chain.name,
            "status": chain.status,
            "on_failure": chain.on_failure,
            "created_at": chain.created_at,
            "updated_at": chain.updated_at,
            "total": sum(counts[chain.pk].values()),
            "counts": counts[chain.pk],
            **filled(
                owner=chain.owner_id,
                locked=locked.get(chain.pk),
                current=current.get(chain.pk),
            ),
        }
        for chain in listed
    ]


def agents(found: AgentQuerySet) -> list[Row]:
    """The rows of these agents, read `with_online`, with what they hold."""
    listed = list(found.defer("meta", "offers"))
    if not listed:
        return []
    ids = [agent.pk for agent in listed]
    states = _states(ids)
    held: Counter[str] = Counter()
    named: dict[str, list[Row]] = {}
    holding = Task.objects.in_progress().filter(agent__in=ids).order_by("-claimed_at", "-id")
    for agent_id, pk, title, channel, job, chain in holding.values_list(
        "agent", "pk", "title", "channel", "job", "chain"
    ):
        held[agent_id] += 1
        if held[agent_id] <= MOST_HELD:
            task = {"id": pk, "title": title, "channel_id": channel}
            named.setdefault(agent_id, []).append(task | filled(job_id=job, chain_id=chain))
    owned = {
        chain.owner_id: {"id": chain.pk, "name": chain.name, "channel_id": chain.channel_id}
        for chain in Chain.objects.filter(owner__in=ids).only("name", "channel", "owner")
    }
    waiting = set(
        Notification.objects.shown().filter(agent__in=ids).values_list("agent", flat=True)
    )
    return [
        {
            "id": agent.pk,
            "name": agent.name,
            "presence": presence(agent),
            "activity": agent.activity,
            "last_seen_at": agent.last_seen_at,
            "held": held[agent.pk],
            "subscriptions": agent.subscriptions,
            **filled(
                draining=agent.draining or None,
                protocol=agent.protocol,
                capacity=agent.capacity,
                tasks=named.get(agent.pk),
                chain=owned.get(agent.pk),
                state=states.get(agent.pk),
                waits=agent.pk in waiting or None,
            ),
        }
        for agent in listed
    ]


def _states(ids: list[str]) -> dict[str, str]:
    """What agents say of themselves in their meta, which may be large and is not read."""
    said = Agent.objects.filter(pk__in=ids, meta__has_key="state")
    states = said.order_by().values_list("pk", KeyTransform("state", "meta"))
    return {pk: state for pk, state in states if isinstance(state, str)}


def presence(agent: Agent) -> str:
    """An agent's presence now; the journal may record it a moment later."""
    if agent.online:
        return Presence.ONLINE
    return Presence.LOST if agent.announced == Presence.LOST else Presence.OFFLINE


def jobs(found: QuerySet[Job]) -> list[Row]:
    """The rows of these jobs, with their present counts."""
    listed = list(found.defer("specification"))
    if not listed:
        return []
    return [_job(job) for job in progress.with_particulars(listed)]


def _job(job: Job) -> Row:
    command = job.as_command if job.kind == JobKind.COMMAND else None
    ended = job.counted_completed + job.counted_failed + job.counted_cancelled
    is_open = job.counted_status in {JobStatus.PENDING, JobStatus.RUNNING}
    return {
        "id": job.public_id,
        "uuid": job.pk,
        "kind": job.kind,
        "status": job.counted_status,
        "total": job.counted_total,
        "completed": job.counted_completed,
        "failed": job.counted_failed,
        "cancelled": job.counted_cancelled,
        "running": job.running,
        "waiting": max(job.counted_total - ended - job.running, 0),
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        **filled(
            name=job.name,
            seconds_left=progress.seconds_left(job) if is_open else None,
            started_at=job.counted_started_at,
            finished_at=job.counted_finished_at,
            cancel_asked_at=job.cancel_asked_at,
            task_id=command and command.task_id,
            command_status=command and command.status,
        ),
    }


def channel(row: Channel, counts: Row) -> Row:
    """A channel's row, with its counts."""
    return {
        "id": row.pk,
        "name": row.name,
        **counts,
        **filled(
            description=row.description,
            paused_at=row.paused_at,
            pause_reason=row.pause_reason,
        ),
    }


def event(row: TailRow) -> Row:
    """A row of the journal, for the timeline."""
    return {
        "id": str(row.id),
        "type": row.type,
        "created_at": row.created_at,
        **filled(
            source=row.source if row.source == Source.AGENT else "",
            task_id=row.task_id,
            agent_id=row.agent_id,
            chain_id=row.chain_id,
            channel_id=row.channel_id,
            job_id=row.job_id,
            actor=row.actor,
            reason=row.reason,
        ),
    }
