"""Rows for tests: each `make_*` names only what the test is about, and goes through the verbs."""

from datetime import timedelta
from itertools import count

from django.db.models import F
from django.db.models.functions import Now

from agents import transitions as agents
from agents.models import Agent
from chains import transitions as chains
from chains.models import Chain, OnFailure
from tasks import transitions as tasks
from tasks.claims import Claim, claim
from tasks.models import Channel, Task

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


def make_agent(
    agent_id: str = "",
    *,
    seen_ago: timedelta = timedelta(),
    subscriptions: tuple[str, ...] = (),
    draining: bool = False,
) -> Agent:
    agent = agents.beat(agents.Beat(agent_id or f"agent-{next(_serial)}"))
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
    wish = Claim(
        agent_id=agent.pk,
        channels=[channel.pk for channel in channels],
        max_tasks=max_tasks,
        lease_seconds=lease_seconds,
    )
    return claim(wish)


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
