"""Rows of each kind in every state, and the values with which verbs are tried on them."""

from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from agents.models import Agent, Notification
from artifacts.models import Artifact
from chains import transitions as chains
from chains.models import Chain, OnFailure
from jobs import tally
from jobs import transitions as jobs
from jobs.models import Job
from notifications.models import Delivery, DeliveryStatus
from tasks import transitions as tasks
from tasks.models import Channel, InputKind, Task, TaskInput
from tests.factories import (
    give,
    let_lease_run_out,
    make_agent,
    make_artifact,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    silence,
    steps_of,
    sweeps,
)
from tests.notifications.receivers import make_delivery, make_mail
from tests.tasks.reporting import complete, fail
from tests.vault.keys import make_key
from vault.models import SecureKey

# The columns that show whether a verb has changed anything.
STATE = {
    Task: ("status", "agent", "priority", "channel", "cancel_asked_at"),
    Chain: ("owner", "on_failure"),
    Channel: ("paused_at",),
    Agent: ("draining", "subscriptions"),
    Job: ("cancel_asked_at",),
    TaskInput: ("text",),
    SecureKey: ("status", "latest"),
    Delivery: ("status", "attempts"),
    Artifact: (),
    Notification: ("agent", "dismissed_at"),
}


def _digest(model, names):
    kept = [model._meta.pk, *map(model._meta.get_field, names)]
    row = f"ROW({', '.join(field.column for field in kept)})::text"
    return f"SELECT md5(string_agg({row}, ' ' ORDER BY {row})) FROM {model._meta.db_table}"  # noqa: S608


DIGESTS = " UNION ALL ".join(_digest(model, names) for model, names in STATE.items())


def state():
    """All that verbs change: a digest of each table, in one statement, since it is often asked."""
    with connection.cursor() as cursor:
        cursor.execute(DIGESTS)
        return cursor.fetchall()


def make_tasks_alone():
    """Tasks of no chain and no job."""
    make_task()
    make_task(idempotency_key="a key")
    make_task(channel=make_channel("with a key"), idempotency_key="a key")
    make_task(available_at=Now() + timedelta(hours=1))
    make_task(assign_only=True)
    make_held_task()
    let_lease_run_out(give(make_agent(), make_task().channel, lease_seconds=60))
    tasks.cancel(make_held_task().pk, by="tests")  # asked
    tasks.cancel(make_held_task().pk, by="tests", force=True)
    tasks.cancel(make_task().pk, by="tests")
    complete(make_held_task())
    fail(make_held_task())
    asked = make_held_task()
    tasks.cancel(asked.pk, by="tests")
    fail(asked)


def make_chains():
    make_chain()
    make_chain(tasks=2)
    give(make_agent(), make_chain(tasks=2).channel)
    complete(give(make_agent(), make_chain(tasks=1).channel))
    complete(give(make_agent(), make_chain(tasks=2).channel))
    fail(give(make_agent(), make_chain(tasks=2, on_failure=OnFailure.STOP).channel))
    fail(give(make_agent(), make_chain(tasks=1).channel))
    locked = make_chain(tasks=2)
    give(make_agent(), locked.channel)
    chains.detach(locked.pk, owner_id=None, by="tests")
    for goes_on in (False, True):
        cancelled = make_chain(tasks=3)
        tasks.cancel(steps_of(cancelled)[0].pk, by="tests")
        if goes_on:
            give(make_agent(), cancelled.channel)


def make_jobs():
    for end in (complete, fail):
        make_job(tasks=1)
        end(give(make_agent(), sweeps()))
    make_job(tasks=2)
    fail(give(make_agent(), sweeps()))
    give(make_agent(), sweeps())
    asked = make_job(tasks=2)
    give(make_agent(), sweeps())
    jobs.cancel(asked.pk, by="tests")
    jobs.cancel(make_job(tasks=1).pk, by="tests")
    partly = make_job(tasks=2)
    tasks.cancel(Task.objects.filter(job=partly).first().pk, by="tests")
    tally.fold()


def make_world():
    """Rows of every kind, and an agent of every kind by its id."""
    make_tasks_alone()
    make_chains()
    make_jobs()
    tasks.pause_channel(make_channel("paused").pk, by="tests")
    tasks.pause_channel(make_held_task().channel_id, by="tests")
    make_agent("waits", meta={"state": "setup_waiting"})
    make_artifact(make_task())
    make_key()
    receiver = make_mail()
    make_mail(enabled=False)
    for status in DeliveryStatus:
        ended = None if status == DeliveryStatus.WAITING else Now()
        make_delivery(receiver, status=status, ended_at=ended)
    names = tuple(Channel.objects.values_list("name", flat=True))
    make_agent("free", subscriptions=names)
    make_agent("stranger")
    make_agent("draining", draining=True, subscriptions=names)
    give(make_agent("full", capacity=1, subscriptions=names), make_task().channel)
    bound = make_chain(tasks=1)
    make_agent("bound", subscriptions=(*names, bound.channel.name))
    chains.assign_agent(bound.pk, "bound", by="tests")
    silence(make_agent("lost", subscriptions=names))


def values_for(verb, row, turn=0):
    """The values with which the verb is tried: for each of its fields the one or the other.

    Of many values each row has the first, the last and one more, by its `turn`.
    """
    agents = ["free", "stranger", "draining", "full", "bound", "lost"]
    owner = getattr(row, "reserved_for_id", None) or getattr(row, "owner_id", None)
    if isinstance(row, Channel):
        reserved = Task.objects.queued().filter(channel=row, reserved_for__isnull=False)
        owner = reserved.values_list("reserved_for", flat=True).first()
    some = {
        "agent": [Agent.objects.get(pk=pk) for pk in [*agents, *([owner] if owner else [])]],
        "channel": [
            *Channel.objects.filter(name__in=["paused", "with a key", "sweeps"]),
            getattr(row, "channel", None) or Channel.objects.first(),
        ],
        "priority": [5, 0],
        "on_failure": [OnFailure.STOP, OnFailure.CONTINUE],
        "result": [None, {"a": 1}],
        "retriable": [True, False],
        "kind": [InputKind.TEXT],
        "text": ["yes", ""],
        "send_enter": [False],
        "title": ["a title"],
        "name": ["a name", "paused"],
        "description": [""],
        "execution_mode": [""],
        "value": ["another secret of sufficient length 1234"],
        "expires_at": [None],
    }
    asked = [some[name] for name in verb.fields]
    most = max(map(len, asked), default=1)
    between = 1 + turn % max(most - 2, 1)
    for place in sorted({0, min(between, most - 1), most - 1}):
        yield {
            name: choices[place % len(choices)]
            for name, choices in zip(verb.fields, asked, strict=True)
        }
