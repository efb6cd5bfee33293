"""What the pages of single things read in one request, and what is found by a few letters."""

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Left

from agents.models import Agent
from api.answers import filled
from api.fields import JOB_PREFIX, NOBODY
from api.names import spelled
from artifacts.models import Artifact, LogBatch
from chains.models import Chain
from console.filters import ids_beginning_with
from dashboard import rows
from dashboard.rows import Row
from events.models import Event, Source
from jobs.models import Job
from tasks.models import Channel, Task

M = TypeVar("M", bound=Model)

LOOKED_AT = 10_000  # the latest rows of a table whose text is searched
MOST_FOUND = 8  # of each kind
LONGEST_TITLE = 200
LONGEST_REASON = 2_000
LONGEST_TEXT = 200

MOST_EVENTS = 1_000  # the latest of an agent's
MOST_TASKS = 20
ENDED_WELL = "task.completed"
ENDED_BADLY = frozenset({"task.failed", "task.retried", "task.locked"})
VERSIONS = ("version", "client_version", "agent_version")


def surroundings(task_id: UUID) -> Row | None:
    """A task as lists show it, its chain or its job, and whether it has left a log and files."""
    task = next(iter(rows.tasks(Task.objects.filter(pk=task_id))), None)
    if task is None:
        return None
    itself = Task.objects.filter(pk=task_id)
    chains = rows.chains(Chain.objects.filter(pk__in=itself.values("chain")).defer("description"))
    jobs = rows.jobs(Job.objects.counted().filter(pk__in=itself.values("job")))
    return {
        "task": task,
        "has_log": LogBatch.objects.filter(task=task_id).exists(),
        "has_files": Artifact.objects.filter(task=task_id).exists(),
        **filled(chain=next(iter(chains), None), job=next(iter(jobs), None)),
    }


def work(agent_id: str) -> Row | None:
    """An agent, and what became of the tasks that it held last, as the journal has it."""
    found = rows.agents(Agent.objects.with_online().filter(pk=agent_id))
    if not found:
        return None
    ended = _endings(agent_id)
    latest = list(dict.fromkeys(UUID(row.task_id) for row in ended if row.task_id))[:MOST_TASKS]
    known = {row["id"]: row for row in rows.tasks(Task.objects.filter(pk__in=latest))}
    failure = next((row for row in ended if row.type != ENDED_WELL), None)
    done = sum(row.type == ENDED_WELL for row in ended)
    return {
        "agent": found[0],
        "done": done,
        "failed": len(ended) - done,
        "tasks": [known[pk] for pk in latest if pk in known],
        **filled(
            version=_version(agent_id),
            first_seen_at=Agent.objects.values_list("created_at", flat=True).get(pk=agent_id),
            last_failure=failure and _failure(failure),
        ),
    }


def _endings(agent_id: str) -> list[Event]:
    """How the attempts of an agent ended, the latest first, among its latest events.

    What agents say of themselves may have any type, and name any task.
    """
    latest = Event.objects.about_agent(agent_id).order_by("-id").defer("payload")[:MOST_EVENTS]
    of_ours = (row for row in latest if row.source == Source.COORDINATOR)
    return [row for row in of_ours if row.type == ENDED_WELL or row.type in ENDED_BADLY]


def _failure(event: Event) -> Row:
    texts = Left("title", LONGEST_TITLE), Left("fail_reason", LONGEST_REASON)
    title, reason = Task.objects.filter(pk=event.task_id or NOBODY).values_list(*texts).first() or (
        "",
        "",
    )
    return {
        "at": event.created_at,
        "type": event.type,
        "task_id": event.task_id,
        **filled(title=title, reason=reason or event.reason),
    }


def _version(agent_id: str) -> str:
    """What an agent says of its version in its meta, which may be large and is not read."""
    said = {name: KeyTransform(name, "meta") for name in VERSIONS}
    found = Agent.objects.filter(pk=agent_id).values_list(*said.values()).first() or ()
    return next((str(one)[:LONGEST_TITLE] for one in found if isinstance(one, str | int)), "")


def find(text: str) -> dict[str, list[Row]]:
    """Things by the beginning or the end of their id, or by a part of their name.

    Names are sought among the latest rows, ids in the whole table.
    """
    text = spelled(text)[:LONGEST_TEXT]
    if not text:
        return {"tasks": [], "chains": [], "jobs": [], "agents": [], "channels": []}
    return {
        "tasks": _tasks(text),
        "chains": _chains(text),
        "jobs": _jobs(text),
        "agents": _agents(text),
        "channels": _channels(text),
    }


def _tasks(text: str) -> list[Row]:
    found = _latest(Task.objects.all(), text, "title").values_list(
        "id", Left("title", LONGEST_TITLE), "status", "channel_id", "chain__name"
    )
    return [
        {"id": pk, "title": title, "status": status, "channel_id": channel, **filled(chain=chain)}
        for pk, title, status, channel, chain in found[:MOST_FOUND]
    ]


def _chains(text: str) -> list[Row]:
    found = _latest(Chain.objects.all(), text, "name")
    named = found.values_list("id", "name", "status", "channel_id")
    return [
        {"id": pk, "name": name, "status": status, "channel_id": channel}
        for pk, name, status, channel in named[:MOST_FOUND]
    ]


def _jobs(text: str) -> list[Row]:
    text = text.lower().removeprefix(JOB_PREFIX) or text
    found = _latest(Job.objects.defer("specification"), text, "name")[:MOST_FOUND]
    return [{"id": job.public_id, "status": job.status, **filled(name=job.name)} for job in found]


def _agents(text: str) -> list[Row]:
    named = Q(pk__icontains=text) | Q(name__icontains=text)
    found = Agent.objects.with_online().filter(named).order_by("-last_seen_at", "pk")
    lean = found.only("name", "announced", "last_seen_at", "protocol")
    return [
        {"id": agent.pk, "presence": rows.presence(agent), **filled(name=agent.name)}
        for agent in lean[:MOST_FOUND]
    ]


def _channels(text: str) -> list[Row]:
    bounds = ids_beginning_with(text)
    wanted = Q(name__icontains=text) | (Q(pk__range=bounds) if bounds else Q())
    found = Channel.objects.filter(wanted).order_by("name").values_list("id", "name")
    return [{"id": pk, "name": name} for pk, name in found[:MOST_FOUND]]


def _latest(every: QuerySet[M], text: str, column: str) -> QuerySet[M]:
    """Those whose id begins with the text; else the latest with it in a column, or ending so."""
    bounds = ids_beginning_with(text)
    newest = every.order_by("-pk")
    if bounds and (found := newest.filter(pk__range=bounds)).exists():
        return found
    first = newest.values_list("pk", flat=True)[LOOKED_AT - 1 : LOOKED_AT].first()
    looked = newest.filter(pk__gte=first) if first is not None else newest
    wanted = Q(**{f"{column}__icontains": text})
    if bounds:  # pages show ids by their end
        wanted |= Q(pk__iendswith=text)
    return looked.filter(wanted)
