"""A verb does what its preview says, and is offered where it changes something."""

import pytest
from django.db import transaction
from django.utils import translation

from accounts.callers import LOCAL
from agents.models import Agent
from chains import transitions as chains
from chains.models import Chain, OnFailure
from console.verbs import Preview, carry_out
from dashboard import rows as pages
from dashboard.acts import KINDS
from dashboard.deltas import channels as channel_rows
from jobs import tally
from jobs import transitions as jobs
from jobs.models import Job
from tasks import transitions as tasks
from tasks.exceptions import WrongStatus
from tasks.models import Channel, Task
from tests.factories import (
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    sweeps,
)
from tests.tasks.reporting import complete, fail

pytestmark = pytest.mark.django_db

# The world takes longer to make than a verb to try, and whatever a verb does is rolled back.
each_kind = pytest.mark.parametrize("kind", KINDS)
# The columns that show whether a verb has changed anything.
STATE = {
    Task: ("status", "agent", "priority", "cancel_asked_at"),
    Chain: ("owner", "on_failure"),
    Channel: ("paused_at",),
    Agent: ("draining",),
    Job: ("cancel_asked_at",),
}


@pytest.fixture
def values():
    """Values for the fields of all verbs; the agent is subscribed to all channels."""
    names = tuple(Channel.objects.values_list("name", flat=True))
    return {"agent": make_agent(subscriptions=names), "priority": 5, "on_failure": "stop"}


@pytest.fixture(autouse=True)
def world():
    """Rows of each kind in every status."""
    make_task()
    make_held_task()
    tasks.cancel(make_held_task().pk, by="tests")
    tasks.cancel(make_task().pk, by="tests")
    complete(make_held_task())
    fail(make_held_task())

    make_chain(tasks=2)
    give(make_agent(), make_chain(tasks=2).channel)
    complete(give(make_agent(), make_chain(tasks=1).channel))
    complete(give(make_agent(), make_chain(tasks=2).channel))
    fail(give(make_agent(), make_chain(tasks=1, on_failure=OnFailure.STOP).channel))
    locked = make_chain(tasks=2)
    give(make_agent(), locked.channel)
    chains.detach(locked.pk, owner_id=None, by="tests")

    tasks.pause_channel(make_channel().pk, by="tests")
    tasks.pause_channel(make_held_task().channel_id, by="tests")
    make_agent(draining=True)

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
    make_job(tasks=1)
    tally.fold()


def state():
    return {model: set(model.objects.values_list("pk", *names)) for model, names in STATE.items()}


def tried(verb, rows, values, before):
    """The result of the verb on these rows, and whether it changed any; it is rolled back."""
    with transaction.atomic():
        result = carry_out(verb, rows, LOCAL, "why", values)
        changed = state() != before
        transaction.set_rollback(True)
    return result, changed


def affects(verb, rows, values):
    """The number of changes in the preview of the verb."""
    return sum(
        part.affects(rows, values).count() if isinstance(part, Preview) else len(part(rows, values))
        for part in verb.previews
        if not isinstance(part, Preview) or (part.says and names_a_change(part.says))
    )


def names_a_change(sentence):
    with translation.override("en"):
        sentence = str(sentence % {"count": 1})
    return "already" not in sentence and "task in progress goes on" not in sentence


def refuses(verb, rows, values):
    return sum(
        rows.count() - part.affects(rows, values).count()
        for part in verb.previews
        if isinstance(part, Preview) and part.refuses
    )


def is_running(chain):
    return Task.objects.filter(chain=chain).in_progress().exists()


ROWS = {
    "tasks": pages.tasks,
    "chains": pages.chains,
    "agents": lambda rows: pages.agents(Agent.objects.with_online().filter(pk__in=rows)),
    "jobs": lambda rows: pages.jobs(Job.objects.counted().filter(pk__in=rows)),
    "channels": channel_rows,
}


def judged_by_page(verb, row):
    """As in static/dashboard/verbs.js."""
    return all(
        bool(row.get(name)) is expected if isinstance(expected, bool) else row.get(name) in expected
        for name, expected in verb.offered_when.columns.items()
    )


@each_kind
def test_a_verb_does_what_its_preview_says_and_is_offered_where_it_changes_something(kind, values):
    before, model = state(), KINDS[kind].model
    rows = [model.objects.filter(pk=pk) for pk in model.objects.values_list("pk", flat=True)]
    shown = [one for row in rows for one in ROWS[kind](row)]

    for verb in KINDS[kind].verbs:
        compare(kind, verb, values, before, list(zip(rows, shown, strict=True)))


def compare(kind, verb, values, before, rows):
    model, offered = KINDS[kind].model, 0

    if verb.name != "reassign":  # where each row but the first may find the agent bound
        result, _ = tried(verb, model.objects.all(), values, before)
        assert len(result.refused) == refuses(verb, model.objects.all(), values)
    for row, shown in rows:
        result, changed = tried(verb, row, values, before)
        offered += compare_with_offer(verb, row, shown, result, changed)
        if (kind, verb.name) == ("chains", "reassign") and is_running(row.get()):
            continue  # refused, which its preview says by a sentence of its own
        assert len(result.refused) == refuses(verb, row, values), (verb.name, row.values())
        assert changed == (affects(verb, row, values) > 0), (verb.name, row.values())
    assert offered, verb.name


def compare_with_offer(verb, row, shown, result, changed):
    """Whether the verb is offered on this row, which it is where it changes something."""
    fits = verb.offered_when.fits(row.get())
    assert verb.offered_when(row, {}).exists() == judged_by_page(verb, shown) == fits
    problems = [type(problem) for _, problem in result.refused]
    if fits:
        assert WrongStatus not in problems
    else:
        assert problems or not changed, (verb.name, row.values())
    return fits
