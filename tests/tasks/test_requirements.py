"""Tasks that want something of their agent: who is given them, in which order, and which way."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from agents.models import Agent, Protocol
from events.models import Event
from tasks import claims, reports, requirements, transitions
from tasks.fast_path import ClaimRequest, Outcome
from tasks.models import Requirement, Task
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_task,
    make_tasks,
    run_fast,
)

pytestmark = pytest.mark.django_db

PSO, GA, DE = ({"algorithm": name} for name in ("PSO", "GA", "DE"))


def make_wanting(channel, wants, *, refused_by=(), **fields):
    return make_task(channel, requirement=requirements.of(wants, refused_by), **fields)


def by_fast_path(agent_id, channel, max_tasks=1, **fields):
    result = run_fast(agent_id, channel=channel.pk, max_tasks=max_tasks, **fields)
    return [task.id for task in result.tasks]


def in_transaction(agent_id, channel, max_tasks=1, **fields):
    request = ClaimRequest(agent_id, ids=[channel.pk], max_tasks=max_tasks, **fields)
    return [task.id for task in claims.claim_in_transaction(request)]


def by_either(agent_id, channel, max_tasks=1, **fields):
    request = ClaimRequest(agent_id, ids=[channel.pk], max_tasks=max_tasks, **fields)
    return [task.id for task in claims.claim(request)]


every_path = pytest.mark.parametrize("claim", [by_fast_path, in_transaction])


@pytest.fixture
def channel():
    return make_channel()


# Who is given what.


@every_path
@pytest.mark.parametrize(
    ("wants", "offers", "gets"),
    [
        (PSO, {"algorithm": ["GA", "PSO"]}, True),
        (PSO, {"algorithm": ["GA"]}, False),
        (PSO, {"algorithm": ["PSO2", "xPSO"]}, False),
        (PSO, {"algorithm": []}, False),
        (PSO, {"optimizer": ["jar"]}, True),
        (PSO, {}, True),
        (PSO | {"optimizer": "jar"}, {"algorithm": ["PSO"], "optimizer": ["jar", "py"]}, True),
        (PSO | {"optimizer": "jar"}, {"algorithm": ["PSO"], "optimizer": ["py"]}, False),
        (PSO | {"optimizer": "jar"}, {"optimizer": ["jar"]}, True),
        ({}, {"algorithm": ["GA"]}, True),
    ],
)
def test_an_agent_is_given_what_it_can_do(channel, claim, wants, offers, gets):
    task = make_wanting(channel, wants)
    make_agent("a", offers=offers)

    assert claim("a", channel) == ([task.pk] if gets else [])


@every_path
def test_an_agent_never_heard_of_has_no_limits(channel, claim):
    tasks = [make_wanting(channel, wants) for wants in (PSO, GA)]

    assert claim("new", channel, 9) == [task.pk for task in tasks]
    assert Agent.objects.online().filter(pk="new").exists()


@every_path
def test_an_agent_that_refused_a_task_is_not_given_it_and_others_are(channel, claim):
    task = make_wanting(channel, {}, refused_by=["a", "b"])
    plain = make_task(channel)

    assert claim("a", channel, 9) == [plain.pk]
    assert claim("b", channel) == []
    assert claim("c", channel) == [task.pk]


@every_path
def test_what_an_agent_offers_counts_as_it_is_now(channel, claim):
    task = make_wanting(channel, PSO)
    make_agent("a", offers={"algorithm": ["GA"]})
    assert claim("a", channel) == []

    make_agent("a", offers={"algorithm": ["GA", "PSO"]})

    assert claim("a", channel) == [task.pk]


@every_path
def test_a_draining_agent_is_given_nothing(channel, claim):
    make_wanting(channel, PSO)
    make_agent("a", draining=True)

    assert claim("a", channel) == []


# In which order.


@every_path
def test_tasks_of_all_requirements_and_of_none_are_one_line(channel, claim):
    tasks = [
        make_wanting(channel, wants, priority=priority)
        for wants, priority in [(PSO, 0), ({}, 0), (GA, 0), (DE, 1), ({}, 1), (PSO, 0), ({}, 0)]
    ]
    make_agent("a", offers={"algorithm": ["PSO", "DE"]})
    line = [tasks[n].pk for n in (3, 4, 0, 1, 5, 6)]

    assert claim("a", channel, 4) == line[:4]
    assert claim("a", channel, 9) == line[4:]
    assert claim("b", channel, 9) == [tasks[2].pk]


@every_path
def test_the_most_urgent_comes_first_however_many_wait(channel, claim):
    for wants in (PSO, {}, GA):
        make_tasks(40, channel=channel, requirement=requirements.of(wants))
    urgent = [make_wanting(channel, wants, priority=1) for wants in (GA, {}, PSO)]

    assert claim("a", channel, 3) == [task.pk for task in urgent]


@every_path
def test_what_nobody_present_can_do_holds_nobody_up(channel, claim):
    make_tasks(60, channel=channel, requirement=requirements.of(GA), priority=9)
    wanted, plain = make_wanting(channel, PSO), make_task(channel)
    make_agent("a", offers={"algorithm": ["PSO"]})

    assert claim("a", channel, 5) == [wanted.pk, plain.pk]


@every_path
def test_tasks_that_others_are_taking_are_passed_over(channel, claim):
    make_tasks(3, channel=channel, requirement=requirements.of(PSO))

    claimed = [pk for name in ("a", "b", "c", "d") for pk in claim(name, channel)]

    assert claimed == list(Task.objects.order_by("id").values_list("pk", flat=True))


# How many.


@every_path
@pytest.mark.parametrize(("capacity", "gets"), [(None, 5), (3, 3), (9, 5)])
def test_an_agent_is_given_no_more_than_it_has_room_for(channel, claim, capacity, gets):
    make_tasks(5, channel=channel, requirement=requirements.of(PSO))
    make_agent("a", capacity=capacity)

    assert len(claim("a", channel, 9)) == gets
    assert claim("a", channel) == []


@every_path
def test_room_comes_back_with_each_report(channel, claim):
    make_tasks(5, channel=channel)
    make_wanting(make_channel(), PSO)
    agent = make_agent("a", capacity=2)
    first, _ = claim("a", channel, 2)
    assert claim("a", channel) == []

    assert run_fast(agent.pk, outcomes=[Outcome(first, done=True)])

    assert len(claim("a", channel, 2)) == 1


@every_path
def test_an_agent_that_holds_more_than_it_now_has_room_for_is_given_none(channel, claim):
    make_tasks(5, channel=channel)
    assert len(claim("a", channel, 3)) == 3

    make_agent("a", capacity=2)

    assert claim("a", channel, 2) == []


# Which way.


def test_a_report_claims_by_the_same_statement_where_tasks_want_something(channel):
    make_agent("a", offers={"algorithm": ["GA"]})
    make_wanting(channel, PSO, priority=1)
    expected = [make_wanting(channel, GA), make_task(channel)]
    held = give(make_agent("a"), make_task().channel)

    result = run_fast("a", [Outcome(held.pk, done=True)], channel=channel.pk, max_tasks=9)

    assert [task.id for task in result.tasks] == [task.pk for task in expected]
    assert fresh(held).status == Status.DONE


def test_the_fast_way_serves_the_channel_again_when_nothing_there_wants_anything(channel):
    wanting, plain = make_wanting(channel, PSO, priority=1), make_task(channel)
    assert by_either("a", channel) == [wanting.pk]

    assert by_fast_path("b", channel) == [plain.pk]


def test_tasks_that_want_something_elsewhere_are_of_no_account(channel):
    make_wanting(make_channel(), PSO)
    make_task(channel)

    assert run_fast("a", channel=channel.pk)


def test_both_paths_hand_out_alike(channel):
    tasks = make_tasks(2, channel=channel, requirement=requirements.of(PSO), payload={"n": [1]})

    handed = run_fast("a", channel=channel.name.upper(), lease_seconds=30).tasks[0]
    in_transaction("b", channel, lease_seconds=30)

    row = fresh(tasks[0])
    assert handed.payload == '{"n": [1]}'
    for field in set(handed._fields) - {"payload"}:
        assert getattr(handed, field) == getattr(row, field), field
    chosen, slow = (Task.objects.filter(pk=task.pk).values().get() for task in tasks)
    differing = {name for name in chosen if chosen[name] != slow[name]}
    assert differing <= {
        "id", "title", "agent_id", "last_holder", "queue_at", "available_at", "created_at",
        "claimed_at", "updated_at", "lease_expires_at",
    }  # fmt: skip
    lines = Event.objects.filter(type="task.claimed").order_by("id")
    assert [(line.actor, line.task_id) for line in lines] == [
        ("agent:a", str(tasks[0].pk)),
        ("agent:b", str(tasks[1].pk)),
    ]


def test_a_claim_registers_its_agent_by_protocol_and_renews_its_presence(channel):
    agent = make_agent("old", seen_ago=timedelta(hours=1))

    by_either("spot-1", channel, protocol=Protocol.SPOT)
    by_either(agent.pk, channel, protocol=Protocol.SPOT)

    assert Agent.objects.get(pk="spot-1").protocol == Protocol.SPOT
    assert set(Agent.objects.online().values_list("pk", flat=True)) == {"spot-1", "old"}


@pytest.mark.parametrize("protocol", [Protocol.PLAIN, Protocol.SPOT])
def test_where_chains_wait_in_line_too_the_first_in_order_decides(channel, protocol):
    before = make_wanting(channel, PSO, priority=2)
    not_for_it = make_wanting(channel, GA, priority=2)
    chain = make_chain(channel, tasks=1)
    Task.objects.filter(chain=chain).update(priority=1)
    behind = [make_wanting(channel, PSO), make_task(channel)]
    make_agent("a", offers={"algorithm": ["PSO"]})

    def claim():
        return by_either("a", channel, 9, protocol=protocol)

    assert claim() == [before.pk, *[task.pk for task in behind]]
    assert run_fast("a", channel=channel.pk) is None
    assert claim() == [chain.tasks.get().pk]
    assert claim() == []
    assert fresh(not_for_it).status == Status.QUEUED


def test_an_agent_that_is_bound_to_a_chain_is_not_given_what_it_could_do(channel):
    chain = make_chain(make_channel(), tasks=2)
    agent = make_agent("a")
    give(agent, chain.channel)
    wanting = make_wanting(channel, PSO)

    assert by_either("a", channel) == []
    assert by_either("a", channel, protocol=Protocol.SPOT) == []
    assert by_either("b", channel) == [wanting.pk]


def test_taking_a_task_that_wants_something_releases_a_chain_that_does_not_bind(channel):
    chain = make_chain(make_channel(), tasks=1)
    agent = make_agent("a")
    task = give(agent, chain.channel)
    assert reports.report_one(Outcome(task.pk, done=True), agent_id="a", by="").problem is None
    wanting = make_wanting(channel, PSO)

    assert by_either("a", channel) == [wanting.pk]
    assert fresh(chain).owner is None


@pytest.mark.django_db(transaction=True)
def test_a_report_with_a_claim_is_one_transaction_there_too(channel):
    held, wanting, other = (make_wanting(channel, wants) for wants in (PSO, PSO, GA))
    make_agent("a", offers={"algorithm": ["PSO"]})
    assert by_either("a", channel) == [held.pk]

    answers, tasks = reports.report(
        "a",
        [Outcome(held.pk, done=True, result=1)],
        ClaimRequest("a", ids=[channel.pk], max_tasks=5),
    )

    assert [answer.verdict for answer in answers] == ["accepted"]
    assert [task.id for task in tasks] == [wanting.pk]
    assert (fresh(held).status, fresh(held).result) == (Status.DONE, 1)
    assert fresh(other).status == Status.QUEUED
    assert written_by(held) == written_by(wanting) != written_by(other)


def written_by(task):
    """The number of the transaction that wrote the row last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text FROM tasks_task WHERE id = %s", [task.pk])
        return cursor.fetchone()[0]


def test_several_channels_and_keys_mind_what_tasks_want(channel):
    other = make_channel()
    make_wanting(channel, GA)
    tasks = [make_wanting(other, PSO), make_wanting(channel, PSO)]
    make_agent("a", offers={"algorithm": ["PSO"]})
    request = ClaimRequest("a", ids=[channel.pk, other.pk], max_tasks=5, key="k")

    assert [task.id for task in claims.claim(request)] == [task.pk for task in tasks]
    assert [task.id for task in claims.claim(request)] == [task.pk for task in tasks]


def test_an_operator_may_assign_what_the_agent_does_not_offer(channel):
    task = make_wanting(channel, PSO)
    make_agent("a", offers={"algorithm": ["GA"]})

    assert transitions.assign(task.pk, "a", by="operator").agent_id == "a"


# The rows that tasks share.


def test_the_same_needs_are_one_row_and_none_is_no_row():
    assert requirements.of({}) is None
    assert requirements.of(PSO) == requirements.of(dict(PSO))
    assert requirements.of(PSO | {"x": "1"}) == requirements.of({"x": "1"} | PSO)
    assert requirements.of({}, ["b", "a", "b"]) == requirements.of({}, ["a", "b"])
    assert len({requirements.of(PSO).pk, requirements.of(GA).pk}) == 2
    assert Requirement.objects.count() == 4


@every_path
def test_a_task_that_waits_for_its_time_is_given_to_nobody(channel, claim):
    task = make_wanting(channel, PSO)
    Task.objects.filter(pk=task.pk).update(
        postponed=True, available_at=F("available_at") + timedelta(minutes=1)
    )

    assert claim("a", channel) == []
