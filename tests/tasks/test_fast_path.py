"""The fast path: when it applies, what it changes, and that both paths do the same."""

from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.models import Agent
from events.models import Event
from tasks import requirements, transitions
from tasks.models import Attempt, Task
from tasks.rows import Outcome
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_task,
    make_tasks,
    run_fast,
)
from tests.tasks.paths import by_fast_path, in_transaction
from tests.tasks.reporting import ACCEPTED, report

pytestmark = pytest.mark.django_db


def test_it_reports_and_claims_at_once_and_the_report_is_first_in_the_journal():
    channel = make_channel()
    first, second = make_tasks(2, channel=channel)
    agent = make_agent("a")
    give(agent, channel)

    result = run_fast("a", outcomes=[Outcome(first.pk, done=True, result=[1])], channel=channel.pk)

    assert [task.id for task in result.tasks] == [second.pk]
    assert (fresh(first).status, fresh(first).result) == (Status.DONE, [1])
    events = Event.objects.filter(actor="agent:a").order_by("id")
    assert [(event.type, event.task_id) for event in events][1:] == [
        ("task.completed", str(first.pk)),
        ("task.claimed", str(second.pk)),
    ]


def test_it_does_not_claim_a_task_that_it_puts_back():
    task = make_held_task(agent := make_agent())
    outcome = Outcome(task.pk, done=False, retriable=True)

    result = run_fast(agent.pk, outcomes=[outcome], channel=task.channel_id)

    assert result.tasks == []
    assert fresh(task).status == Status.QUEUED
    assert by_fast_path(agent.pk, task.channel) == [task.pk]


def unserved_chain_first(agent):
    return {"channel": make_chain(tasks=1).channel_id}


def unserved_owner(agent):
    chain = make_chain(tasks=1)
    give(agent, chain.channel)
    return {"channel": make_task().channel_id}


def unserved_report_of_a_chains_task(agent):
    chain = make_chain(tasks=1)
    return {"outcomes": [Outcome(give(agent, chain.channel).pk, done=True)]}


def unserved_report_of_anothers_task(agent):
    return {"outcomes": [Outcome(make_held_task().pk, done=True)]}


def unserved_stale_epoch(agent):
    return {"outcomes": [Outcome(make_held_task(agent).pk, done=True, epoch=9)]}


def unserved_unknown_task(agent):
    return {"outcomes": [Outcome(uuid4(), done=True)]}


def unserved_twice(agent):
    return {"outcomes": [Outcome(make_held_task(agent).pk, done=True)] * 2}


def unserved_one_of_two(agent):
    held, queued = make_held_task(agent), make_task()
    return {
        "outcomes": [Outcome(task.pk, done=True) for task in (held, queued)],
        "channel": queued.channel_id,
    }


def unserved_claim_beside_a_served_report(agent):
    held, chain = make_held_task(agent), make_chain(tasks=1)
    return {"outcomes": [Outcome(held.pk, done=False)], "channel": chain.channel_id}


@pytest.mark.parametrize(
    "unserved",
    [value for name, value in sorted(globals().items()) if name.startswith("unserved_")],
)
def test_it_changes_nothing_when_it_does_not_apply(unserved):
    agent = make_agent()
    asked = unserved(agent)
    before = list(Task.objects.order_by("id").values())

    assert run_fast(agent.pk, **asked) is None

    assert list(Task.objects.order_by("id").values()) == before
    assert not Attempt.objects.exists()


def nothing_for_a_draining_agent(agent):
    Agent.objects.filter(pk=agent.pk).update(draining=True)
    return make_task().channel_id


def nothing_in_an_unknown_channel(agent):
    return uuid4()


@pytest.mark.parametrize(
    "nothing",
    [value for name, value in sorted(globals().items()) if name.startswith("nothing_")],
)
def test_it_accepts_the_outcomes_when_there_is_nothing_to_claim(nothing):
    held = make_held_task(agent := make_agent())

    result = run_fast(agent.pk, [Outcome(held.pk, done=True)], channel=nothing(agent))

    assert result.tasks == []
    assert fresh(held).status == Status.DONE


def test_an_agent_with_a_capacity_reports_and_claims_within_it():
    channel = make_channel()
    held = make_held_task(agent := make_agent("a", capacity=2), channel=channel)
    waiting = make_tasks(3, channel=channel)

    result = run_fast(agent.pk, [Outcome(held.pk, done=True)], channel=channel.pk, max_tasks=9)

    assert [task.id for task in result.tasks] == [task.pk for task in waiting[:2]]
    assert run_fast(agent.pk, channel=channel.pk).tasks == []


# Both paths agree.

COMPARED = [
    "status", "result", "fail_reason", "attempts", "losses", "closed_epoch", "lease_epoch",
    "lease_seconds", "agent_id", "last_holder", "blocked", "reserved_for_id", "max_attempts",
]  # fmt: skip
TIMES = ["finished_at", "claimed_at", "lease_expires_at", "cancel_asked_at"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text('aé☃"\\', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=2),
    max_leaves=5,
)
outcomes: st.SearchStrategy[dict] = st.builds(
    dict,
    done=st.booleans(),
    result=json_values,
    reason=st.text("ab é", max_size=5),
    retriable=st.booleans(),
    epoch=st.none() | st.just(2),
)
kinds: st.SearchStrategy[dict] = st.builds(
    dict,
    attempts=st.integers(0, 3),
    max_attempts=st.integers(1, 3),
    losses=st.integers(0, 2),
    cancel_asked=st.booleans(),
    lease_seconds=st.none() | st.just(30),
)


def held_of_kind(kind):
    agent = make_agent("holder")
    task = make_task(max_attempts=kind["max_attempts"])
    Task.objects.filter(pk=task.pk).update(
        attempts=kind["attempts"], losses=kind["losses"], lease_epoch=1, last_holder="other"
    )
    task = give(agent, task.channel, lease_seconds=kind["lease_seconds"])
    if kind["cancel_asked"]:
        transitions.cancel(task.pk, by="operator")
    return task


def ended(kind, outcome, path):
    """The row, its attempts and its events after the report, which is rolled back."""
    with transaction.atomic():
        task = held_of_kind(kind)
        path(Outcome(task.pk, **outcome))
        row = fresh(task)
        attempts = list(Attempt.objects.values("epoch", "agent_id", "outcome", "reason"))
        events = list(
            Event.objects.about_task(task.pk).values_list("type", "actor", "agent_id", "payload")
        )
        transaction.set_rollback(True)
    state = {name: getattr(row, name) for name in COMPARED}
    return state | {name: getattr(row, name) is not None for name in TIMES}, attempts, events


def report_by_fast_path(outcome):
    assert run_fast("holder", outcomes=[outcome])


def report_in_transaction(outcome):
    assert report(outcome, by=make_agent("holder")).verdict == ACCEPTED


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kind=kinds, outcome=outcomes)
def test_both_paths_end_a_lease_alike(db, kind, outcome):
    by_fast_path = ended(kind, outcome, report_by_fast_path)
    assert by_fast_path == ended(kind, outcome, report_in_transaction)


@pytest.mark.parametrize("wants", [{}, {"algorithm": "PSO"}], ids=["plain", "wanting"])
def test_both_paths_claim_alike(wants):
    channel = make_channel()
    fields = {"payload": {"a": [1, "é"]}, "description": "d", "priority": 3, "max_attempts": 5}
    fields |= {"requirement": requirements.of(wants)}
    tasks = make_tasks(2, channel=channel, **fields)

    returned = run_fast("a", channel=channel.name.upper(), lease_seconds=30).tasks[0]
    in_transaction("b", channel, lease_seconds=30)

    row = fresh(tasks[0])
    assert returned.payload == '{"a": [1, "é"]}'
    for field in set(returned._fields) - {"payload"}:
        assert getattr(returned, field) == getattr(row, field), field
    one, other = (Task.objects.filter(pk=task.pk).values().get() for task in tasks)
    assert {name for name in one if one[name] != other[name]} <= {
        "id", "title", "agent_id", "last_holder", "queue_at", "available_at", "created_at",
        "claimed_at", "updated_at", "lease_expires_at",
    }  # fmt: skip
    events = Event.objects.filter(type="task.claimed").order_by("id")
    assert [(event.actor, event.task_id) for event in events] == [
        ("agent:a", str(tasks[0].pk)),
        ("agent:b", str(tasks[1].pk)),
    ]
