"""The audit's `before` is what the verb found, also when somebody changed the row meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection, transaction

from accounts.callers import LOCAL
from agents import transitions as agents
from agents.models import Agent
from agents.verbs import AGENT_VERBS
from chains import transitions as chains
from chains.models import Chain
from chains.verbs import CHAIN_VERBS
from console.verbs import carry_out
from events.models import OperatorAction
from jobs import transitions as jobs
from jobs.models import Job
from jobs.verbs import JOB_VERBS
from tasks import transitions as tasks
from tasks.channel_verbs import CHANNEL_VERBS
from tasks.models import Channel, Task
from tasks.verbs import TASK_VERBS
from tests.factories import make_agent, make_chain, make_channel, make_job, make_task, steps_of
from tests.racing import waits_for_a_lock, with_connection

pytestmark = pytest.mark.django_db(transaction=True)


def verb(verbs, name):
    return next(one for one in verbs if one.name == name)


def befores(change, chosen, rows, **values):
    """What the audit keeps of rows that somebody changes while the verb begins."""
    act = partial(carry_out, chosen, rows, LOCAL, "why", values)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change()
            acting = pool.submit(with_connection, act)
            assert waits_for_a_lock(acting)
        acting.result(timeout=60)
    return list(OperatorAction.objects.order_by("id").values_list("before", flat=True))


@pytest.mark.parametrize("number", [1, 3])
def test_of_tasks(number):
    channel = make_channel()
    rows = [make_task(channel) for _ in range(number)]
    change = partial(tasks.prioritize, rows[-1].pk, 7, by="x")

    kept = befores(change, verb(TASK_VERBS, "cancel"), Task.objects.all())

    assert [before["priority"] for before in kept] == [0] * (number - 1) + [7]


@pytest.mark.parametrize("name", ["cancel", "prioritize", "reassign"])
def test_of_a_task_in_a_chain(name):
    chain = make_chain(tasks=1)
    [task] = steps_of(chain)
    values = {"priority": 3, "agent": make_agent()}
    chosen = verb(TASK_VERBS, name)
    fields = {field: values[field] for field in chosen.fields}
    change = partial(tasks.prioritize, task.pk, 7, by="x")

    [before] = befores(change, chosen, Task.objects.all(), **fields)

    assert before["priority"] == 7


@pytest.mark.parametrize("name", ["detach", "release", "reassign", "change_on_failure"])
def test_of_chains(name):
    channel = make_channel()
    chain = make_chain(channel=channel, tasks=1)
    first, second = (make_agent(subscriptions=[channel.name]) for _ in range(2))
    chains.assign_agent(chain.pk, first.pk, by="x")
    values = {"agent": first, "on_failure": "stop"}
    chosen = verb(CHAIN_VERBS, name)
    fields = {field: values[field] for field in chosen.fields}
    change = partial(chains.assign_agent, chain.pk, second.pk, by="x")

    [before] = befores(change, chosen, Chain.objects.all(), **fields)

    assert before["owner"] == second.pk


def test_of_agents():
    agent = make_agent()
    change = partial(agents.subscribe, agent.pk, ["other"], by="x")

    [before] = befores(change, verb(AGENT_VERBS, "drain"), Agent.objects.all())

    assert before["subscriptions"] == ["other"]


def test_of_channels():
    channel = make_channel()
    change = partial(tasks.pause_channel, channel.pk, by="x", reason="first")

    [before] = befores(change, verb(CHANNEL_VERBS, "pause"), Channel.objects.all())

    assert before == {"paused": True, "pause_reason": "first"}


def test_of_jobs():
    job = make_job(tasks=2)
    change = partial(jobs.cancel, job.pk, by="x")

    [before] = befores(change, verb(JOB_VERBS, "cancel"), Job.objects.all())

    assert (before["cancel_asked"], before["cancelled"]) == (True, 2)


def impatient(chosen):
    """Use the verb on all tasks, waiting for locks no longer than a moment."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
    return carry_out(chosen, Task.objects.all(), LOCAL, "why", {})


def test_a_row_that_stays_locked_is_reported_as_refused():
    task = make_task()
    with transaction.atomic():
        Task.objects.filter(pk=task.pk).lock().get()
        with ThreadPoolExecutor(1) as pool:
            act = partial(impatient, verb(TASK_VERBS, "cancel"))
            result = pool.submit(with_connection, act).result(timeout=60)

    assert [(key, problem.code) for key, problem in result.refused] == [(task.pk, "unavailable")]
