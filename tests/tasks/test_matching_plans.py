"""A claim reads a few pages for each requirement that its agent meets.

This is so even if thousands of tasks at the head of the queue are unserved or postponed.
"""

import pytest
from django.db import connection, transaction

from tasks import claims, fast_path, leases, queue, requirements
from tasks.fast_path import heads_for
from tasks.models import Requirement, Task
from tests.factories import make_agent, make_channel
from tests.tasks.plans import (
    PAGES,
    named,
    nodes,
    pages,
    rerun,
    run_prepared,
    scans_of_tasks,
    uses_no_seq_scan,
    walks,
)

pytestmark = pytest.mark.django_db

UNSERVED = 20_000  # at the head of the queue
POSTPONED = 20_000
EACH = 5_000  # with each requirement that the agent meets, and without one
DONE = 20_000
KNOWN = 5_000  # requirements of tasks that are done
OFFERED = ("PSO", "GA", "DE")
CLASSES = len(OFFERED) + 1  # and no requirement

FILL = """
INSERT INTO tasks_task (id, channel_id, requirement_id, priority, postponed, available_at, status,
  finished_at, sequence, title, description, type, session_token, payload, execution_mode,
  idempotency_key, last_holder, lease_epoch, closed_epoch, attempts, max_attempts, losses,
  fail_reason, blocked)
SELECT gen_random_uuid(), %(channel)s, made.requirement, made.priority, made.postponed,
  now() + CASE WHEN made.postponed THEN interval '1 minute' ELSE interval '0' END, made.status,
  CASE WHEN made.status = 'done' THEN now() END, 0, 't', '', '', '', '{}', '', '', '', 0, 0, 0, 3,
  0, '', false
FROM (
  SELECT w AS requirement, 1 AS priority, false AS postponed, 'done' AS status
    FROM unnest(%(wanted)s::bigint[]) w, generate_series(1, %(done)s / %(classes)s)
  UNION ALL SELECT %(unserved)s, 9, false, 'queued' FROM generate_series(1, %(most)s)
  UNION ALL SELECT w, 5, true, 'queued' FROM unnest(%(wanted)s::bigint[]) w,
    generate_series(1, %(postponed)s / %(classes)s)
  UNION ALL SELECT w, 1, false, 'queued' FROM unnest(%(wanted)s::bigint[]) w,
    generate_series(1, %(each)s)
) made
"""


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        channel = make_channel("sweeps")
        wanted = [requirements.of({"algorithm": name}).pk for name in OFFERED]
        Requirement.objects.bulk_create(
            requirements.unsaved({"algorithm": OFFERED[0]}, refused_by=[f"gone-{n}"])
            for n in range(KNOWN)
        )
        with transaction.atomic():
            cursor.execute("SET LOCAL session_replication_role = replica")  # no triggers
            cursor.execute(
                FILL,
                {
                    "channel": channel.pk,
                    "unserved": requirements.of({"algorithm": "nobody's"}).pk,
                    "most": UNSERVED,
                    "wanted": [None, *wanted],
                    "classes": CLASSES,
                    "postponed": POSTPONED,
                    "each": EACH,
                    "done": DONE,
                },
            )
        for table in ("tasks_task", "tasks_requirement"):
            cursor.execute(f"VACUUM ANALYZE {table}")
    yield channel
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE agents_agent, tasks_channel, tasks_requirement, events_event CASCADE"
        )


@pytest.fixture
def channel(db, filled):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    return filled


@pytest.fixture
def agent():
    return make_agent("a", offers={"algorithm": list(OFFERED)})


def values_for(agent, channel):
    return {
        "agent": agent.pk,
        "actor": "agent:a",
        "request": "",
        "lease": 60,
        "channels": [channel.pk],
        "protocol": "spot",
    }


def few_pages(plan, heads):
    """Each queue's heads, each on a page of its own, and the way to them."""
    assert uses_no_seq_scan(plan)
    assert pages(plan) <= (heads + 10) * (CLASSES + 1)
    return True


@pytest.mark.parametrize("limit", [1, 10])
@pytest.mark.parametrize("counting", [False, True])
def test_a_claim_reads_the_head_of_each_suitable_queue(channel, agent, limit, counting):
    statement = fast_path.statement(0, "ids", heads_for(limit), counting)

    plan = run_prepared(statement, values_for(agent, channel) | {"most": limit})

    indexes = {index for walk in walks(named(plan, "head")) for _, index in scans_of_tasks(walk)}
    assert indexes == {"task_free_alone", "task_free_for_some", "task_free_in_chain"}
    for part in ("room", "head"):
        assert few_pages(named(plan, part), heads_for(limit))
    claiming = next(node for node in nodes(named(plan, "claimed")) if node["Node Type"] == "Limit")
    assert {index for _, index in scans_of_tasks(claiming)} <= {"tasks_task_pkey"}
    assert uses_no_seq_scan(plan)
    assert Task.objects.held_by(agent.pk).count() == limit
    assert set(Task.objects.held_by(agent.pk).values_list("priority", flat=True)) == {1}


def test_a_claim_of_an_agent_that_meets_no_requirement_is_cheap(channel):
    picky = make_agent("picky", offers={"algorithm": ["none of these"]})
    statement = fast_path.statement(0, "ids", heads_for(5), False)

    plan = run_prepared(statement, values_for(picky, channel) | {"most": 5})

    assert few_pages(named(plan, "head"), heads_for(5))
    assert set(Task.objects.held_by(picky.pk).values_list("requirement", flat=True)) == {None}


def test_the_transactional_path_reads_the_same_queues(channel, agent):
    values = {"channels": [channel.pk, make_channel().pk], "agent": agent.pk}

    plan = run_prepared(claims._heads(heads_for(5)), values)

    indexes = {index for walk in walks(plan) for _, index in scans_of_tasks(walk)}
    assert indexes == {"task_free_alone", "task_free_for_some", "task_free_in_chain"}
    assert few_pages(plan, heads_for(5))


def test_waking_reads_only_tasks_whose_pause_has_ended(channel, asked):
    assert leases.wake_postponed() == 0

    plan = rerun(list(asked), "available_at")
    assert [index for _, index in scans_of_tasks(plan)] == ["task_postponed"]
    assert pages(plan) < PAGES


def test_a_position_far_behind_is_found_without_reading_the_queue_to_its_end(channel):
    last = Task.objects.free().filter(priority=1).latest("queue_at", "id")

    assert queue.position(last) == queue.FAR + 1

    key = {"priority": last.priority, "queue_at": last.queue_at, "sequence": last.sequence}
    values = {"channel": channel.pk, "id": last.pk, **key}
    plan = run_prepared(queue._position(queue.FAR), values)
    read = [node for node in nodes(plan) if node.get("Relation Name") == "tasks_task"]
    assert "Seq Scan" not in {node["Node Type"] for node in read}
    heads = [node for node in read if node["Actual Rows"] > 1]
    assert all(node["Actual Rows"] <= queue.FAR for node in heads)
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in heads) <= (
        queue.FAR * (CLASSES + 2)
    )
