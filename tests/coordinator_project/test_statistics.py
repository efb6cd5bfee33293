"""Statistics that are refreshed when a table has grown, so that plans made before are made anew."""

import pytest
from django.db import connection

from coordinator_project import statistics
from tests.factories import make_channel
from tests.tasks.plans import nodes

pytestmark = pytest.mark.django_db(transaction=True)

GROW = """
INSERT INTO tasks_task (id, channel_id, sequence, blocked, queue_at, status, priority, title,
  description, type, session_token, payload, execution_mode, idempotency_key, last_holder,
  lease_epoch, closed_epoch, attempts, max_attempts, losses, fail_reason)
SELECT gen_random_uuid(), %s, 0, false, now() + make_interval(secs => n), 'queued', 0, 't',
  '', '', '', '{}', '', '', '', 0, 0, 0, 3, 0, ''
FROM generate_series(1, %s) n
"""
ASKED = """PREPARE asked (uuid) AS SELECT id FROM tasks_task
  WHERE channel_id = $1 AND free AND chain_id IS NULL AND requirement_id IS NULL
  ORDER BY priority DESC, queue_at, sequence, id LIMIT 16"""


def scans(channel):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE asked ('{channel.pk}')")
        plan = cursor.fetchone()[0][0]["Plan"]
    return {node["Node Type"] for node in nodes(plan)}


def grow(channel, tasks):
    with connection.cursor() as cursor:
        cursor.execute(GROW, [channel.pk, tasks])
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT 1")


def test_a_plan_for_a_small_table_is_made_anew_once_the_table_is_large():
    channel = make_channel()
    grow(channel, 5)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        cursor.execute(ASKED)
    assert "Sort" in scans(channel)  # that reads all of the channel
    grow(channel, 5_000)
    assert "Sort" in scans(channel)

    assert statistics.refresh() > 0

    assert "Sort" not in scans(channel)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE asked")


def test_tables_that_have_changed_little_are_left_alone():
    channel = make_channel()
    grow(channel, 5_000)
    statistics.refresh()

    grow(channel, 1_000)

    assert statistics.refresh() == 0
