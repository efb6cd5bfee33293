"""Tasks with requirements: which agents get them, in which order and how many."""

import secrets

import pytest
from django.db import connection

from agents.models import Agent
from tasks import claims, reports, requirements, transitions
from tasks.models import Requirement, Task
from tasks.rows import ClaimRequest, Outcome
from tasks.states import Status
from tests.factories import fresh, give, make_agent, make_channel, make_task, make_tasks, run_fast
from tests.tasks.paths import both_paths

pytestmark = pytest.mark.django_db

PSO, GA, DE = ({"algorithm": name} for name in ("PSO", "GA", "DE"))


def make_wanting(channel, wants, *, refused_by=(), **fields):
    return make_task(channel, requirement=requirements.of(wants, refused_by), **fields)


@pytest.fixture
def channel():
    return make_channel()


# Which agents.


@both_paths
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
def test_an_agent_gets_the_tasks_whose_requirements_it_meets(channel, claim, wants, offers, gets):
    task = make_wanting(channel, wants)
    make_agent("a", offers=offers)

    assert claim("a", channel) == ([task.pk] if gets else [])


@both_paths
def test_an_unknown_agent_meets_every_requirement(channel, claim):
    tasks = [make_wanting(channel, wants) for wants in (PSO, GA)]

    assert claim("new", channel, max_tasks=9) == [task.pk for task in tasks]
    assert Agent.objects.online().filter(pk="new").exists()


@both_paths
def test_a_refused_task_goes_to_agents_that_have_not_refused_it(channel, claim):
    task = make_wanting(channel, {}, refused_by=["a", "b"])
    plain = make_task(channel)

    assert claim("a", channel, max_tasks=9) == [plain.pk]
    assert claim("b", channel) == []
    assert claim("c", channel) == [task.pk]


@both_paths
def test_a_claim_uses_what_the_agent_offers_now(channel, claim):
    task = make_wanting(channel, PSO)
    make_agent("a", offers={"algorithm": ["GA"]})
    assert claim("a", channel) == []

    make_agent("a", offers={"algorithm": ["GA", "PSO"]})

    assert claim("a", channel) == [task.pk]


@both_paths
@pytest.mark.parametrize(
    "offers", [None, {}, {"gpu": ["t4"]}, {"gpu": ["a100", "t4"]}, {"x": ["y"]}]
)
@pytest.mark.parametrize("needs", [{"wants": {"gpu": "a100"}}, {"requires": {"gpu": "a100"}}])
def test_what_is_required_must_be_offered_and_what_is_wanted_not_contradicted(
    channel, claim, offers, needs
):
    requirement = requirements.of(**{"wants": {}} | needs)
    task = make_task(channel, requirement=requirement)
    agent = Agent(pk="a", offers={}) if offers is None else make_agent("a", offers=offers)
    expected = [task.pk] if requirements.serves(agent, requirement) else []

    assert claim("a", channel) == expected
    named = (offers or {}).get("gpu")
    assert bool(expected) == ("a100" in (named or []) if "requires" in needs else named != ["t4"])


def test_a_requirement_keeps_what_it_requires_when_an_agent_refuses(channel):
    make_agent("a", offers={"gpu": ["a100"]})
    make_task(channel, requirement=requirements.of({}, requires={"gpu": "a100"}))
    task = give(Agent(pk="a"), channel)

    reports.refuse(task.pk, agent_id="a")
    assert (fresh(task).requirement.requires, fresh(task).requirement.refused_by) == (
        {"gpu": "a100"},
        ["a"],
    )


# In which order.


@both_paths
def test_tasks_with_and_without_requirements_are_one_queue(channel, claim):
    tasks = [
        make_wanting(channel, wants, priority=priority)
        for wants, priority in [(PSO, 0), ({}, 0), (GA, 0), (DE, 1), ({}, 1), (PSO, 0), ({}, 0)]
    ]
    make_agent("a", offers={"algorithm": ["PSO", "DE"]})
    queue = [tasks[n].pk for n in (3, 4, 0, 1, 5, 6)]

    assert claim("a", channel, max_tasks=4) == queue[:4]
    assert claim("a", channel, max_tasks=9) == queue[4:]
    assert claim("b", channel, max_tasks=9) == [tasks[2].pk]


@both_paths
def test_the_highest_priority_comes_first_however_many_wait(channel, claim):
    for wants in (PSO, {}, GA):
        make_tasks(40, channel=channel, requirement=requirements.of(wants))
    urgent = [make_wanting(channel, wants, priority=1) for wants in (GA, {}, PSO)]

    assert claim("a", channel, max_tasks=3) == [task.pk for task in urgent]


@both_paths
def test_tasks_that_no_agent_can_do_do_not_block_the_queue(channel, claim):
    make_tasks(60, channel=channel, requirement=requirements.of(GA), priority=9)
    wanted, plain = make_wanting(channel, PSO), make_task(channel)
    make_agent("a", offers={"algorithm": ["PSO"]})

    assert claim("a", channel, max_tasks=5) == [wanted.pk, plain.pk]


@both_paths
def test_a_claim_passes_over_tasks_of_other_agents(channel, claim):
    make_tasks(3, channel=channel, requirement=requirements.of(PSO))

    claimed = [pk for name in ("a", "b", "c", "d") for pk in claim(name, channel)]

    assert claimed == list(Task.objects.order_by("id").values_list("pk", flat=True))


# How many.


@both_paths
@pytest.mark.parametrize(("capacity", "gets"), [(None, 5), (3, 3), (9, 5)])
def test_an_agent_gets_no_more_tasks_than_its_capacity(channel, claim, capacity, gets):
    make_tasks(5, channel=channel, requirement=requirements.of(PSO))
    make_agent("a", capacity=capacity)

    assert len(claim("a", channel, max_tasks=9)) == gets
    assert claim("a", channel) == []


@both_paths
def test_a_report_makes_room_for_another_task(channel, claim):
    make_tasks(5, channel=channel)
    make_wanting(make_channel(), PSO)
    agent = make_agent("a", capacity=2)
    first, _ = claim("a", channel, max_tasks=2)
    assert claim("a", channel) == []

    assert run_fast(agent.pk, outcomes=[Outcome(first, done=True)])

    assert len(claim("a", channel, max_tasks=2)) == 1


@both_paths
def test_an_agent_whose_capacity_shrank_gets_nothing(channel, claim):
    make_tasks(5, channel=channel)
    assert len(claim("a", channel, max_tasks=3)) == 3

    make_agent("a", capacity=2)

    assert claim("a", channel, max_tasks=2) == []


@pytest.mark.django_db(transaction=True)
def test_a_report_with_a_claim_is_one_transaction(channel):
    make_agent("a", offers={"algorithm": ["PSO"]})
    [held] = run_fast("a", channel=make_wanting(channel, PSO).channel_id).tasks
    other, *expected = (make_wanting(channel, wants) for wants in (GA, PSO, {}))

    outcome = Outcome(held.id, done=True, result=1)
    result = run_fast("a", [outcome], channel=channel.pk, max_tasks=9)

    held = Task.objects.get(pk=held.id)
    assert [task.id for task in result.tasks] == [task.pk for task in expected]
    assert (held.status, held.result) == (Status.DONE, 1)
    assert fresh(other).status == Status.QUEUED
    assert written_by(held) == written_by(expected[0]) != written_by(other)


def written_by(task):
    """The id of the transaction that wrote the row last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text FROM tasks_task WHERE id = %s", [task.pk])
        return cursor.fetchone()[0]


def test_a_claim_with_a_key_from_several_channels_respects_requirements(channel):
    other = make_channel()
    make_wanting(channel, GA)
    tasks = [make_wanting(other, PSO), make_wanting(channel, PSO)]
    make_agent("a", offers={"algorithm": ["PSO"]})
    request = ClaimRequest("a", ids=[channel.pk, other.pk], max_tasks=5, key="k")

    assert [task.id for task in claims.claim(request)] == [task.pk for task in tasks]
    assert [task.id for task in claims.claim(request)] == [task.pk for task in tasks]


def test_an_operator_may_assign_a_task_to_an_agent_that_does_not_meet_its_requirement(channel):
    task = make_wanting(channel, PSO)
    make_agent("a", offers={"algorithm": ["GA"]})

    assert transitions.assign(task.pk, "a", by="operator").agent_id == "a"


# The rows.


def test_equal_requirements_share_a_row_and_an_empty_one_has_none():
    assert requirements.of({}) is None
    assert requirements.of(PSO) == requirements.of(dict(PSO))
    assert requirements.of(PSO | {"x": "1"}) == requirements.of({"x": "1"} | PSO)
    assert requirements.of({}, ["b", "a", "b"]) == requirements.of({}, ["a", "b"])
    assert len({requirements.of(PSO).pk, requirements.of(GA).pk}) == 2
    assert Requirement.objects.count() == 4


# How they are stored.


def test_a_requirement_may_be_longer_than_an_index_can_hold(channel):
    wants = {f"ability-{n}": secrets.token_hex(95) for n in range(14)}
    refused_by = [secrets.token_hex(100) for _ in range(50)]

    first = requirements.of(wants, refused_by, requires=wants)
    again = requirements.of(dict(reversed(wants.items())), refused_by[::-1] * 2, requires=wants)

    assert again == first
    assert requirements.of(wants, refused_by[1:], requires=wants) != first
    assert (fresh(first).wants, fresh(first).refused_by) == (wants, sorted(refused_by))


def test_wants_are_not_what_is_required():
    assert requirements.of(PSO) != requirements.of({}, requires=PSO)
