"""A claim reads an index in order and a few pages, however many tasks there are."""

import pytest
from django.db import connection, transaction

from tasks import claims, fast_path
from tasks.fast_path import heads_for
from tasks.models import Task
from tasks.rows import ClaimRequest, Outcome
from tests.factories import make_agent, make_channel, run_fast
from tests.tasks.plans import (
    PAGES,
    named,
    nodes,
    pages,
    reads_in_order,
    run_prepared,
    scans_of_tasks,
    uses_no_seq_scan,
    walks,
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
    """A channel with 60,000 queued tasks, half of them in chains, and 60,000 done."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        channel = make_channel("builds")
        with transaction.atomic():
            cursor.execute("SET LOCAL session_replication_role = replica")  # no triggers
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


def looks_at_few(plan, limit):
    """The heads are read in the order of their indexes, and only the tasks claimed are locked."""
    heads = walks(named(plan, "head"))
    assert heads
    assert all(reads_in_order(walk, heads_for(limit)) for walk in heads)
    locks = [node for node in nodes(named(plan, "claimed")) if node["Node Type"] == "LockRows"]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in locks) == limit
    assert uses_no_seq_scan(plan)
    return True


def values_for(*channels, lease=60, most=1):
    named = {"channels": list(channels), "protocol": "", "lease": lease, "most": most}
    return {"agent": "a", "actor": "agent:a", "request": ""} | named


@pytest.mark.parametrize("limit", [1, 10])
@pytest.mark.parametrize("by", ["ids", "names"])
def test_the_claim_reads_its_indexes_in_order(channel, by, limit):
    make_agent("a")
    other = make_channel()
    named = [channel.pk, other.pk] if by == "ids" else [channel.name, other.name]

    plan = run_prepared(
        fast_path.statement(0, by, heads_for(limit), False),
        values_for(*named, most=limit),
    )

    assert looks_at_few(plan, limit)
    assert Task.objects.held_by("a").count() == limit


def test_a_report_with_a_claim_reads_no_more(channel):
    held = run_fast("a", channel=channel.pk).tasks[0]
    values = values_for(channel.pk, lease=None)
    values["outcomes"] = fast_path.as_json([Outcome(held.id, done=True)])

    plan = run_prepared(fast_path.statement(1, "ids", heads_for(1), False), values)

    assert looks_at_few(plan, 1)
    assert Task.objects.held_by("a").exclude(pk=held.id).count() == 1


def test_the_transactional_path_reads_the_same_indexes(channel):
    values = {"channels": [channel.pk, make_channel().pk], "agent": "a"}

    plan = run_prepared(claims._heads(9), values)

    assert walks(plan)
    assert all(reads_in_order(walk, 9) for walk in walks(plan))


def test_the_claim_of_a_bound_agent_uses_the_index_of_reserved_tasks(channel):
    task = claims.claim(ClaimRequest(agent_id="owner-7", ids=[channel.pk]))[0]

    assert (task.reserved_for_id, task.sequence) == ("owner-7", 1)
    values = {"agent": "owner-7", "channels": [channel.pk], "prefix": ""}
    plan = run_prepared(claims._bound("ids"), values)
    assert [index for _, index in scans_of_tasks(plan)] == ["task_reserved_for"]
    assert pages(plan) < PAGES
