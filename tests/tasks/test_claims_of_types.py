"""A claim may ask for tasks of some types alone: those whose type begins with a prefix."""

from functools import partial
from itertools import chain

import pytest
from django.db import connection

from events.models import Event
from tasks import claims, fast_path, leases, reports, requirements
from tasks.fast_path import heads_for
from tasks.models import Task
from tasks.rows import ClaimRequest, Outcome
from tests.factories import make_agent, make_chain, make_channel, make_task
from tests.racing import at_once
from tests.tasks.plans import named as part_of
from tests.tasks.plans import nodes, pages, run_prepared, uses_no_seq_scan

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel():
    return make_channel("builds")


def claim(prefix, agent="agent-1", **more):
    asked = {"names": ["builds"], "type_prefix": prefix} | more
    return [row.title for row in claims.claim(ClaimRequest(agent, **asked))]


def named(channel, type_, title="", **fields):
    return make_task(channel=channel, type=type_, title=title or type_, **fields)


def test_only_types_with_the_prefix_are_claimed(channel):
    for type_ in ("build.linux", "test.linux", "build", "rebuild", ""):
        named(channel, type_, f"a {type_}")

    assert claim("build") == ["a build.linux"]
    assert claim("build", max_tasks=5) == ["a build"]
    assert claim("build") == []
    assert claim("", max_tasks=5) == ["a test.linux", "a rebuild", "a "]


def test_they_come_in_the_order_of_the_queue_whatever_their_type(channel):
    named(channel, "b.x", "first")
    named(channel, "b.a", "second")
    named(channel, "b.x", "urgent", priority=1)
    named(channel, "b.a", "third")

    assert claim("b.", max_tasks=3) == ["urgent", "first", "second"]


@pytest.mark.parametrize("prefix", ["%", "_", "b%", "é", "\\", "b\x7f", "bu" * 32])
def test_a_prefix_is_taken_as_it_is(channel, prefix):
    named(channel, "build")
    named(channel, prefix[:64], "named so")

    assert claim(prefix[:64], max_tasks=5) == ["named so"]


def test_types_are_compared_byte_by_byte(channel):
    for type_ in ("B", "a", "aB", "ab", "b", "á"):
        named(channel, type_)

    assert claim("a", max_tasks=9) == ["a", "aB", "ab"]
    assert claim("á", max_tasks=9) == ["á"]


def test_what_is_of_a_chain_or_for_some_agents_is_left(channel):
    make_task(chain=make_chain(channel), type="build")
    named(channel, "build", requirement=requirements.of({"os": "linux"}))

    assert claim("build", max_tasks=5) == []


def test_an_agent_that_is_bound_gets_what_is_reserved_for_it_if_it_is_of_the_type(channel):
    owned = make_chain(channel)
    first = make_task(chain=owned, type="build", title="first")
    make_task(chain=owned, type="build", title="second")
    assert claim("") == ["first"]
    named(channel, "test")
    reports.report("agent-1", [Outcome(first.pk, True)])

    assert claim("test") == []
    assert claim("build") == ["second"]


def test_an_agent_with_a_capacity_and_a_claim_with_a_key_are_served_too(channel):
    make_agent("agent-1", capacity=1)
    named(channel, "build", "one")
    named(channel, "build", "two")
    named(channel, "test")

    assert claim("build", max_tasks=5) == ["one"]
    assert claim("build", "agent-2", max_tasks=5, key="k") == ["two"]
    assert claim("build", "agent-2", max_tasks=5, key="k") == ["two"]


def test_outcomes_may_come_with_it(channel):
    first = named(channel, "build", "one")
    named(channel, "test")
    named(channel, "build", "two")
    claim("build")

    request = ClaimRequest("agent-1", names=["builds"], type_prefix="build")
    verdicts, claimed = reports.report("agent-1", [Outcome(first.pk, True)], request)

    assert [verdict.verdict for verdict in verdicts] == ["accepted"]
    assert [row.title for row in claimed] == ["two"]


@pytest.mark.parametrize("counting", [False, True])
def test_no_task_of_another_type_is_read(channel, counting):
    make_agent("agent-1")
    types = ["a"] * 900 + [""] * 600 + ["build.x"] * 3 + ["build.y"] * 3 + ["z"] * 900
    Task.objects.bulk_create(Task(channel=channel, title="t", type=type_) for type_ in types)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    values = {"agent": "agent-1", "actor": "", "request": "", "lease": 60, "most": 2}

    plan = run_prepared(
        fast_path.statement(0, "ids", heads_for(2), counting, True),
        values | {"channels": [channel.pk], "type_prefix": "build"},
    )

    head = part_of(plan, "head")
    assert {node["Index Name"] for node in nodes(head) if "Index Name" in node} >= {
        "task_free_of_type"
    }
    assert uses_no_seq_scan(plan)
    assert pages(head) < 60
    assert Task.objects.held_by("agent-1").filter(type="build.x").count() == 2


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_task_is_given_twice(channel):
    for number in range(40):
        named(channel, f"build.{number % 3}", f"task {number}")

    def until_none(agent):
        found = []
        while titles := claim("build", agent, max_tasks=3):
            found += titles
        return found

    found = at_once(*(partial(until_none, f"agent-{number}") for number in range(8)))

    assert sorted(chain(*found)) == sorted(f"task {number}" for number in range(40))


def test_what_is_begun_is_said_once_for_a_lease(channel):
    task = named(channel, "build")
    claim("build")

    first = leases.start(task.pk, agent_id="agent-1", epoch=1)
    leases.start(task.pk, agent_id="agent-1", epoch=1)

    assert first.named_epoch == 1
    said = Event.objects.filter(task_id=str(task.pk)).order_by("pk").values_list("type", flat=True)
    assert list(said) == ["task.created", "task.claimed", "task.started"]


def test_events_say_type_and_why(channel):
    task = named(channel, "build", max_attempts=2)
    plain = make_task(channel=channel)
    claim("build")
    reports.report("agent-1", [Outcome(task.pk, False, reason="no", retriable=True)])
    claim("build")
    reports.report("agent-1", [Outcome(task.pk, False, reason="no", retriable=True)])

    said = [
        (one.type, one.payload) for one in Event.objects.filter(task_id=str(task.pk)).order_by("pk")
    ]
    claimed = {"from": "queued", "to": "in_progress", "type": "build"}
    assert said == [
        ("task.created", {"to": "queued", "type": "build"}),
        ("task.claimed", claimed | {"lease_epoch": 1}),
        (
            "task.retried",
            {
                "from": "in_progress",
                "to": "queued",
                "lease_epoch": 1,
                "type": "build",
                "outcome": "failed",
            },
        ),
        ("task.claimed", claimed | {"lease_epoch": 2}),
        (
            "task.failed",
            {
                "from": "in_progress",
                "to": "failed",
                "lease_epoch": 2,
                "type": "build",
                "dead_letter": "exhausted",
            },
        ),
    ]
    assert Event.objects.get(task_id=str(plain.pk)).payload == {"to": "queued"}
