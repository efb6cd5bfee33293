"""The fast path: what it serves, what it leaves alone, and that both paths do the same."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.models import Agent
from chains import transitions as chains
from events.models import Event
from tasks import claims, fast_path, reports, transitions
from tasks.fast_path import ClaimRequest, Outcome
from tasks.models import Attempt, Task
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
    silence,
)

pytestmark = pytest.mark.django_db


def ids(tasks):
    return [task.id for task in tasks]


def test_it_claims_in_order_by_the_channels_id_or_name():
    channel = make_channel("Builds")
    tasks = make_tasks(3, channel=channel)
    urgent = make_task(channel, priority=1)

    by_id = run_fast("a", channel=channel.pk, max_tasks=2, lease_seconds=60)
    by_name = run_fast("b", channel="bUILDS", max_tasks=9)

    assert ids(by_id.tasks) == [urgent.pk, tasks[0].pk]
    assert ids(by_name.tasks) == [tasks[1].pk, tasks[2].pk]
    claimed = fresh(urgent)
    assert (claimed.status, claimed.agent_id, claimed.last_holder) == ("in_progress", "a", "a")
    assert (claimed.lease_epoch, claimed.lease_seconds) == (1, 60)
    assert (claimed.lease_expires_at - claimed.claimed_at).total_seconds() == 60
    assert fresh(tasks[2]).lease_expires_at is None


def test_what_it_hands_out_is_what_the_row_says():
    task = make_task(payload={"a": [1, "é"]}, description="d", max_attempts=5)

    handed = run_fast("a", channel=task.channel_id).tasks[0]

    row = fresh(task)
    assert handed.payload == '{"a": [1, "é"]}'
    for field in set(handed._fields) - {"payload"}:
        assert getattr(handed, field) == getattr(row, field), field


def test_a_claim_that_finds_nothing_is_served_and_registers_the_agent():
    result = run_fast("new", channel=make_channel().pk)

    assert (result.tasks, result.overtaken) == ([], False)
    assert Agent.objects.online().filter(pk="new").exists()


def test_it_renews_presence():
    agent = make_agent()
    silence(agent)

    run_fast(agent.pk, channel=make_channel().pk)

    assert Agent.objects.online().filter(pk=agent.pk).exists()


def test_it_reports_and_claims_in_one_go_and_the_journal_tells_the_ending_first():
    channel = make_channel()
    first, second = make_tasks(2, channel=channel)
    agent = make_agent("a")
    give(agent, channel)

    result = run_fast("a", outcomes=[Outcome(first.pk, done=True, result=[1])], channel=channel.pk)

    assert ids(result.tasks) == [second.pk]
    assert (fresh(first).status, fresh(first).result) == (Status.DONE, [1])
    lines = Event.objects.filter(actor="agent:a").order_by("id")
    assert [(line.type, line.task_id) for line in lines][1:] == [
        ("task.completed", str(first.pk)),
        ("task.claimed", str(second.pk)),
    ]


def test_a_task_that_it_puts_back_is_not_claimed_in_the_same_go():
    task = make_held_task(agent := make_agent())
    outcome = Outcome(task.pk, done=False, retriable=True)

    result = run_fast(agent.pk, outcomes=[outcome], channel=task.channel_id)

    assert result.tasks == []
    assert fresh(task).status == Status.QUEUED
    assert ids(run_fast(agent.pk, channel=task.channel_id).tasks) == [task.pk]


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


def unserved_claim_after_a_good_report(agent):
    held, chain = make_held_task(agent), make_chain(tasks=1)
    return {"outcomes": [Outcome(held.pk, done=False)], "channel": chain.channel_id}


@pytest.mark.parametrize(
    "unserved",
    [value for name, value in sorted(globals().items()) if name.startswith("unserved_")],
)
def test_what_it_does_not_serve_it_leaves_as_it_was(unserved):
    agent = make_agent()
    wanted = unserved(agent)
    before = list(Task.objects.order_by("id").values())

    assert run_fast(agent.pk, **wanted) is None

    assert list(Task.objects.order_by("id").values()) == before
    assert not Attempt.objects.exists()


def test_it_passes_over_what_is_not_ready_or_waits_for_its_owner():
    chain = make_chain(tasks=2)
    owner = make_agent(subscriptions=(chain.channel.name,))
    chains.assign_agent(chain.pk, owner.pk, by="operator")
    make_task(chain.channel, assign_only=True)
    make_task(chain.channel, available_at=Now() + timedelta(minutes=1))
    plain = make_task(chain.channel, type="of any type")

    assert ids(run_fast("a", channel=chain.channel_id, max_tasks=9).tasks) == [plain.pk]


def nothing_for_a_draining_agent(agent):
    Agent.objects.filter(pk=agent.pk).update(draining=True)
    return make_task().channel_id


def nothing_in_an_unknown_channel(agent):
    return uuid4()


@pytest.mark.parametrize(
    "nothing",
    [value for name, value in sorted(globals().items()) if name.startswith("nothing_")],
)
def test_where_there_is_nothing_it_takes_the_outcomes_and_claims_nothing(nothing):
    held = make_held_task(agent := make_agent())

    result = run_fast(agent.pk, [Outcome(held.pk, done=True)], channel=nothing(agent))

    assert result.tasks == []
    assert fresh(held).status == Status.DONE


def test_several_channels_are_one_queue():
    one, two, three = make_channel("one"), make_channel("two"), make_channel("three")
    expected = [make_task(two, priority=9), make_task(one, priority=5), make_task(two)]
    make_task(three, priority=99)

    request = ClaimRequest("a", names=["ONE", "two", "nowhere"], max_tasks=9)
    assert ids(fast_path.run("a", request=request).tasks) == [task.pk for task in expected]


def test_an_agent_with_a_capacity_reports_and_claims_within_it():
    channel = make_channel()
    held = make_held_task(agent := make_agent("a", capacity=2), channel=channel)
    waiting = make_tasks(3, channel=channel)

    result = run_fast(agent.pk, [Outcome(held.pk, done=True)], channel=channel.pk, max_tasks=9)

    assert ids(result.tasks) == [task.pk for task in waiting[:2]]
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
    """What the row and its attempts look like after the report, the change undone again."""
    with transaction.atomic():
        task = held_of_kind(kind)
        path(Outcome(task.pk, **outcome))
        row = fresh(task)
        attempts = list(Attempt.objects.values("epoch", "agent_id", "outcome", "reason"))
        lines = list(
            Event.objects.about_task(task.pk).values_list("type", "actor", "agent_id", "payload")
        )
        transaction.set_rollback(True)
    state = {name: getattr(row, name) for name in COMPARED}
    return state | {name: getattr(row, name) is not None for name in TIMES}, attempts, lines


def fast(outcome):
    assert run_fast("holder", outcomes=[outcome])


def transactional(outcome):
    answers, _ = reports.report_in_transaction([outcome], agent_id="holder", by="")
    assert answers[0].verdict == reports.Verdict.ACCEPTED


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kind=kinds, outcome=outcomes)
def test_both_paths_end_a_lease_alike(db, kind, outcome):
    assert ended(kind, outcome, fast) == ended(kind, outcome, transactional)


def test_both_paths_hand_out_alike():
    channel = make_channel()
    tasks = make_tasks(2, channel=channel, priority=3, payload={"a": 1})

    run_fast("a", channel=channel.pk, lease_seconds=30)
    claims.claim_in_transaction(ClaimRequest("b", ids=[channel.pk], lease_seconds=30))

    fast_row, row = (Task.objects.filter(pk=task.pk).values().get() for task in tasks)
    differing = {name for name in fast_row if fast_row[name] != row[name]}
    assert differing <= {
        "id", "title", "agent_id", "last_holder", "available_at", "created_at", "claimed_at",
        "updated_at", "lease_expires_at",
    }  # fmt: skip
