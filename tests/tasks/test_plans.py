"""A claim reads an index in order and a few pages, however many tasks there are."""

import pytest
from django.db import connection, transaction

from tasks import choosy, claims, fastlane
from tasks.models import Task
from tests.factories import make_channel
from tests.tasks.plans import (
    PAGES,
    named,
    nodes,
    pages,
    reads_in_order,
    rerun,
    run_prepared,
    scans_of_tasks,
)

pytestmark = pytest.mark.django_db

CHAINS = 10_000  # of three steps each; nine in ten are owned

FILL = """
INSERT INTO agents_agent (id) SELECT 'owner-' || n FROM generate_series(1, {chains}) n;

INSERT INTO chains_chain (id, channel_id, name, description, status, on_failure, owner_id)
SELECT md5('chain' || n)::uuid, '{channel}', 'c', '', 'queued', 'continue',
  CASE WHEN n % 10 > 0 THEN 'owner-' || n END
FROM generate_series(1, {chains}) n;

INSERT INTO tasks_task (id, channel_id, chain_id, sequence, blocked, reserved_for_id, queue_at,
  status, finished_at, priority, title, description, type, session_token, payload, execution_mode,
  idempotency_key, last_holder, lease_epoch, closed_epoch, attempts, max_attempts, losses,
  fail_reason)
SELECT gen_random_uuid(), '{channel}', made.*, 0, 't', '', '', '', '{{}}', '', '', '', 0, 0,
  0, 3, 0, ''
FROM (
  SELECT md5('chain' || n)::uuid, step, step > 1,
    CASE WHEN n % 10 > 0 AND step = 1 THEN 'owner-' || n END,
    now() - interval '1 hour' + make_interval(secs => n * 0.01), 'queued', NULL::timestamptz
  FROM generate_series(1, {chains}) n, generate_series(1, 3) step
  UNION ALL
  SELECT NULL, 0, false, NULL, now() - interval '1 day' + make_interval(secs => n), 'queued', NULL
  FROM generate_series(1, 30000) n
  UNION ALL
  SELECT NULL, 0, false, NULL, now() - interval '2 days', 'done', now()
  FROM generate_series(1, 60000) n
) made;
"""


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker):
    """A channel with 60,000 queued tasks, half of them in chains, and 60,000 done; made once."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        channel = make_channel("builds")
        with transaction.atomic():
            cursor.execute("SET LOCAL session_replication_role = replica")  # no journal, no checks
            cursor.execute(FILL.format(chains=CHAINS, channel=channel.pk))
        cursor.execute("VACUUM ANALYZE tasks_task")
        cursor.execute("VACUUM ANALYZE chains_chain")
        cursor.execute("VACUUM ANALYZE agents_agent")
    yield channel
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE agents_agent, tasks_channel, events_event CASCADE")


@pytest.fixture
def channel(db, filled):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    return filled


def claiming(plan):
    """The claim's own select: what is locked below the limit, in the node that updates tasks."""
    updates = [node for node in nodes(plan) if node.get("Subplan Name") == "CTE claimed"]
    limits = [node for node in nodes(updates[0]) if node["Node Type"] == "Limit"]
    below = [node for node in limits[0]["Plans"] if "Subplan Name" not in node]
    assert [node["Node Type"] for node in below] == ["LockRows"]
    return limits[0]


def looking(plan):
    """The look, without a lock, at the first in line."""
    gates = [node for node in nodes(plan) if node.get("Subplan Name") == "CTE gate"]
    return next(node for node in nodes(gates[0]) if node["Node Type"] == "Limit")


@pytest.mark.parametrize("limit", [1, 10])
@pytest.mark.parametrize("by", ["id", "name"])
def test_the_fast_claim_reads_an_index_in_order(channel, by, limit):
    values = {"agent": "a", "actor": "agent:a", "request": "", "lease": 60}
    values["channel"] = channel.pk if by == "id" else channel.name

    plan = run_prepared(fastlane.statement(False, by, limit), values)

    assert reads_in_order(claiming(plan))
    assert reads_in_order(looking(plan))
    assert "Seq Scan" not in {scan for scan, _ in scans_of_tasks(plan)}
    assert Task.objects.held_by("a").count() == limit


def test_a_choosy_claim_sees_by_the_index_that_chains_wait_too(channel):
    values = {"agent": "a", "actor": "agent:a", "request": "", "lease": 60, "channel": channel.pk}

    plan = run_prepared(choosy.statement("id", 1, 17), values)

    assert reads_in_order(named(plan, "gate"))
    assert not Task.objects.held_by("a").exists()


def test_a_fast_report_with_a_claim_reads_no_more(channel):
    held = fastlane.run("a", channel=channel.pk).tasks[0]
    outcomes = fastlane.columns_of([fastlane.Outcome(held.id, done=True)])
    values = outcomes | {"agent": "a", "actor": "a", "request": "", "lease": None}

    query = fastlane.statement(True, "id", 1)
    plan = run_prepared(query, values | {"channel": channel.pk})

    assert reads_in_order(claiming(plan))
    assert "Seq Scan" not in {scan for scan, _ in scans_of_tasks(plan)}
    assert Task.objects.held_by("a").exclude(pk=held.id).count() == 1


def test_the_slow_claim_looks_at_the_head_of_the_line_by_the_same_index(channel, asked):
    other = make_channel()
    wish = claims.Claim(agent_id="a", channels=[channel.pk, other.pk])

    assert len(claims.claim(wish)) == 1

    plan = rerun(list(asked), "CROSS JOIN LATERAL")
    walks = [node for node in nodes(plan) if node["Node Type"] == "Limit"][1:]
    assert walks
    assert all(reads_in_order(walk) for walk in walks)


def test_a_bound_agents_claim_finds_its_task_by_the_index_of_reserved_ones(channel, asked):
    wish = claims.Claim(agent_id="owner-7", channels=[channel.pk])

    task = claims.claim(wish)[0]

    assert (task.reserved_for_id, task.sequence) == ("owner-7", 1)
    looks = [sent for sent in asked if '"reserved_for_id" = ' in sent[0]]
    for mark in ('AS "a" FROM "tasks_task"', "FOR NO KEY UPDATE"):
        plan = rerun(looks, mark)
        assert [index for _, index in scans_of_tasks(plan)] == ["task_reserved_for"]
        assert pages(plan) < PAGES
