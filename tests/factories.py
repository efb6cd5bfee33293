"""Rows for tests, made by the verbs; a test passes only the fields that it is about."""

from collections import Counter
from datetime import timedelta
from itertools import count

from django.db.models import F
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent
from artifacts.models import Artifact
from chains import transitions as chains
from chains.models import Chain, OnFailure
from jobs.models import Job, JobKind
from jobs.sweeps import CHANNEL
from tasks import batches, claims, fast_path, requirements
from tasks import transitions as tasks
from tasks.models import Channel, Task
from tasks.rows import ClaimRequest
from tasks.states import CLAIM, FAIL

_serial = count(1)


def make_channel(name: str = "") -> Channel:
    return tasks.open_channel(name or f"channel-{next(_serial)}", by="tests")


def make_task(channel: Channel | None = None, **fields) -> Task:
    return make_tasks(1, channel=channel, **fields)[0]


def make_tasks(number: int, *, channel: Channel | None = None, **fields) -> list[Task]:
    """Tasks in one channel, enqueued together; with `chain`, behind its other tasks."""
    chain = fields.get("chain")
    channel = channel or (chain.channel if chain else make_channel())
    new = [
        Task(**{"title": f"task {next(_serial)}", "channel": channel} | fields)
        for _ in range(number)
    ]
    return chains.enqueue(new, by="tests")


def make_chain(
    channel: Channel | None = None,
    *,
    tasks: int = 0,
    on_failure: OnFailure = OnFailure.CONTINUE,
    name: str = "",
) -> Chain:
    """A chain, queued behind those made before, even in the same transaction."""
    name = name or f"chain {next(_serial)}"
    chain = chains.open_chain(channel or make_channel(), name, on_failure=on_failure, by="tests")
    Chain.objects.filter(pk=chain.pk).update(
        created_at=F("created_at") + timedelta(microseconds=next(_serial))
    )
    chain.refresh_from_db()
    if tasks:
        make_tasks(tasks, chain=chain)
        chain.refresh_from_db()
    return chain


def steps_of(chain: Chain) -> list[Task]:
    """The tasks of the chain in order, as they are now."""
    return list(Task.objects.filter(chain=chain).order_by("sequence"))


def make_job(*, tasks: int = 0, **fields) -> Job:
    """A sweep with this number of equal tasks."""
    job = Job.objects.create(kind=JobKind.SWEEP)
    make_job_tasks(job, tasks, **fields)
    return job


def make_job_tasks(
    job: Job,
    number: int = 1,
    *,
    wants: dict[str, str] | None = None,
    priority: int = 0,
    max_attempts: int = 3,
    retry_delay_seconds: int = 0,
) -> list[Task]:
    """This number of further tasks of the job, at the end of the queue."""
    requirement = requirements.of(wants or {})
    drafts = [
        batches.Draft(f"task {next(_serial)}", {}, requirement.pk if requirement else None)
        for _ in range(number)
    ]
    before = tasks_of(job)
    batches.enqueue_for_job(
        job.pk,
        sweeps(),
        drafts,
        priority=priority,
        max_attempts=max_attempts,
        retry_delay_seconds=retry_delay_seconds,
        by="tests",
    )
    return tasks_of(job)[len(before) :]


def sweeps() -> Channel:
    """The channel of the tasks of sweeps."""
    return Channel.objects.filter(name=CHANNEL).first() or make_channel(CHANNEL)


def tasks_of(job: Job) -> list[Task]:
    """The job's tasks in the order of submission, as they are now."""
    return list(Task.objects.filter(job=job).order_by("id"))


def counted(job: Job) -> tuple[int, int, int, int]:
    """The job's counters: all its tasks, those completed, failed, cancelled."""
    row = Job.objects.counted().get(pk=job.pk)
    return row.counted_total, row.counted_completed, row.counted_failed, row.counted_cancelled


def recounted(job: Job) -> tuple[int, int, int, int]:
    """The same as `counted`, from the tasks themselves."""
    statuses = Counter(task.status for task in tasks_of(job))
    return statuses.total(), statuses["done"], statuses["failed"], statuses["cancelled"]


def make_agent(
    agent_id: str = "",
    *,
    seen_ago: timedelta = timedelta(),
    subscriptions: tuple[str, ...] = (),
    draining: bool = False,
    **beat,
) -> Agent:
    """An agent that has sent a heartbeat; `beat`: more fields of it, such as `offers`."""
    agent = agents.beat(agents.Beat(agent_id or f"agent-{next(_serial)}", **beat))
    Agent.objects.filter(pk=agent.pk).update(
        subscriptions=list(subscriptions),
        draining=draining,
        last_seen_at=F("last_seen_at") - seen_ago,
    )
    return fresh(agent)


def make_held_task(agent: Agent | None = None, **fields) -> Task:
    """A task without a chain that the agent (or a new one) has claimed."""
    task = make_task(**fields)
    return give(agent or make_agent(), task.channel)


def make_artifact(task: Task, path: str = "", **fields) -> Artifact:
    """A file of a task, without its bytes."""
    number = next(_serial)
    made = {"epoch": 1, "key": f"artifacts/{number}", "size": 7, "content_type": "text/plain"}
    return Artifact.objects.create(
        task=task, path=path or f"file-{number}", **{"sha256": f"{number:064x}"} | made | fields
    )


def give(agent: Agent, *channels: Channel, lease_seconds: int | None = None) -> Task:
    """The task that the agent gets when it claims from these channels; there must be one."""
    return take(agent, *channels, lease_seconds=lease_seconds)[0]


def take(
    agent: Agent, *channels: Channel, max_tasks: int = 1, lease_seconds: int | None = None
) -> list[Task]:
    """The tasks that the agent gets when it claims from these channels."""
    ids = [channel.pk for channel in channels]
    request = ClaimRequest(agent.pk, ids=ids, max_tasks=max_tasks, lease_seconds=lease_seconds)
    return stored(claims.claim(request))


def stored(rows) -> list[Task]:
    """The tasks of these rows, as they are now, in the same order."""
    tasks = Task.objects.in_bulk([row.id for row in rows])
    return [tasks[row.id] for row in rows]


def run_fast(agent_id: str, outcomes=(), channel=None, **fields):
    """Run the fast path, with a claim if `channel` is an id or a name."""
    if channel is None:
        return fast_path.run(agent_id, outcomes)
    fields |= {"names" if isinstance(channel, str) else "ids": [channel]}
    return fast_path.run(agent_id, outcomes, ClaimRequest(agent_id, **fields))


def fail_at_once(tasks) -> None:
    """Claim these queued tasks and fail them for good, in two statements."""
    agent = make_agent()
    ids = list(tasks.values_list("pk", flat=True))
    for edge in (CLAIM(agent=agent, last_holder=agent.pk), FAIL(dead_letter="exhausted")):
        Task.objects.filter(pk__in=ids).update(**edge)


def fresh(row):
    """The row as it is now."""
    return type(row).objects.get(pk=row.pk)


def let_lease_run_out(task: Task) -> None:
    """Make the lease of the task, if it is in progress, end in the past."""
    held = Task.objects.in_progress().filter(pk=task.pk)
    held.update(lease_expires_at=Now() - timedelta(seconds=1))


def silence(agent: Agent, ago: timedelta = timedelta(hours=1)) -> None:
    """Make the agent last seen `ago`."""
    Agent.objects.filter(pk=agent.pk).update(last_seen_at=Now() - ago)
