"""Rows for tests: each `make_*` names only what the test is about, and goes through the verbs."""

from collections import Counter
from datetime import timedelta
from itertools import count

from django.db.models import F
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent
from chains import transitions as chains
from chains.models import Chain, OnFailure
from jobs.models import Job, JobKind
from jobs.sweeps import CHANNEL
from tasks import batches, claims, fast_path, requirements
from tasks import transitions as tasks
from tasks.fast_path import ClaimRequest
from tasks.models import Channel, Task
from tasks.states import CLAIM, FAIL

_serial = count(1)


def make_channel(name: str = "") -> Channel:
    return tasks.open_channel(name or f"channel-{next(_serial)}", by="tests")


def make_task(channel: Channel | None = None, **fields) -> Task:
    return make_tasks(1, channel=channel, **fields)[0]


def make_tasks(number: int, *, channel: Channel | None = None, **fields) -> list[Task]:
    """That many tasks in one channel, enqueued together; with `chain`, behind its others."""
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
    """A chain, after those made before it in line also where one transaction makes both."""
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
    """The chain's tasks in their order, as they are now."""
    return list(Task.objects.filter(chain=chain).order_by("sequence"))


def make_job(*, tasks: int = 0, **fields) -> Job:
    """A sweep with that many tasks, all alike."""
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
    """That many tasks more in the job, at the end of the line."""
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
    """What the job counts now: all its tasks, those completed, failed, cancelled."""
    row = Job.objects.counted().get(pk=job.pk)
    return row.counted_total, row.counted_completed, row.counted_failed, row.counted_cancelled


def recounted(job: Job) -> tuple[int, int, int, int]:
    """The same as `counted`, by looking at each task."""
    statuses = Counter(task.status for task in tasks_of(job))
    return statuses.total(), statuses["done"], statuses["failed"], statuses["cancelled"]


def make_agent(
    agent_id: str = "",
    *,
    seen_ago: timedelta = timedelta(),
    subscriptions: tuple[str, ...] = (),
    draining: bool = False,
    **said,
) -> Agent:
    """An agent that has spoken; `said`: more of its heartbeat, such as what it offers."""
    agent = agents.beat(agents.Beat(agent_id or f"agent-{next(_serial)}", **said))
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


def give(agent: Agent, *channels: Channel, lease_seconds: int | None = None) -> Task:
    """The next task for the agent from these channels; there must be one."""
    return take(agent, *channels, lease_seconds=lease_seconds)[0]


def take(
    agent: Agent, *channels: Channel, max_tasks: int = 1, lease_seconds: int | None = None
) -> list[Task]:
    """What the agent gets when it claims from these channels."""
    ids = [channel.pk for channel in channels]
    request = ClaimRequest(agent.pk, ids=ids, max_tasks=max_tasks, lease_seconds=lease_seconds)
    return stored(claims.claim(request))


def stored(rows) -> list[Task]:
    """The tasks of these rows as the database has them, in the same order."""
    tasks = Task.objects.in_bulk([row.id for row in rows])
    return [tasks[row.id] for row in rows]


def run_fast(agent_id: str, outcomes=(), channel=None, **fields):
    """The fast path alone, with a claim where a channel's id or name is given."""
    if channel is None:
        return fast_path.run(agent_id, outcomes)
    fields |= {"names" if isinstance(channel, str) else "ids": [channel]}
    return fast_path.run(agent_id, outcomes, ClaimRequest(agent_id, **fields))


def fail_at_once(tasks) -> None:
    """As if each of these queued tasks had been claimed and had failed for good."""
    agent = make_agent()
    ids = list(tasks.values_list("pk", flat=True))
    for edge in (CLAIM(agent=agent, last_holder=agent.pk), FAIL(dead_letter="exhausted")):
        Task.objects.filter(pk__in=ids).update(**edge)


def fresh(row):
    """The row as the database has it now."""
    return type(row).objects.get(pk=row.pk)


def let_lease_run_out(task: Task) -> None:
    """Nothing happens to a task that is not in progress."""
    held = Task.objects.in_progress().filter(pk=task.pk)
    held.update(lease_expires_at=Now() - timedelta(seconds=1))


def silence(agent: Agent, ago: timedelta = timedelta(hours=1)) -> None:
    """As if the agent had last been heard of `ago`."""
    Agent.objects.filter(pk=agent.pk).update(last_seen_at=Now() - ago)
