"""The tables read a bounded part of large tables, in every order and by every filter."""

from itertools import product

import pytest
from django.db import connection
from django.test import Client

from benchmarks import lists
from chains.models import Chain
from jobs.models import Job
from tasks.models import Task
from tests.tasks.plans import nodes

pytestmark = pytest.mark.django_db

TASKS = 100_000
USES = 60_000
MOST = 21_000
"""Rows that a statement reads: the keys of those that are looked through, and these."""
LARGE = ("tasks_task", "events_event", "events_operatoraction")

FILL = """
INSERT INTO events_operatoraction
  (actor, verb, kind, object_id, reason, before, after, refused, message, request_id)
SELECT 'person ' || n / 10000 % 3, 'cancel', CASE WHEN n % 10000 = 0 THEN 'agent' ELSE 'task' END,
  'object ' || n, 'r', '{}', '{}', '', '',
  CASE WHEN n > %(alone)s THEN 'request ' || n / 10000 ELSE '' END
FROM generate_series(1, %(uses)s) n"""


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        lists.fill(TASKS)
        with connection.cursor() as cursor:
            cursor.execute(
                FILL.replace("% 3", "%% 3").replace("% 10000", "%% 10000"),
                {
                    "uses": USES,
                    "alone": USES // 2,
                },
            )
            cursor.execute("VACUUM ANALYZE events_operatoraction")
        task = Task.objects.filter(job__isnull=False).order_by("id")[TASKS // 10]
        known = {
            "channel_id": str(task.channel_id),
            "chain_id": str(Chain.objects.order_by("id")[100].pk),
            "job_id": Job.objects.get(pk=task.job_id).public_id,
            "agent_id": "list-agent-7",
            "text": "task 777",
            "created_before": task.created_at.isoformat(),
            "created_after": task.created_at.isoformat(),
            "dead_letter": "exhausted",
        }
    yield known
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE agents_agent, tasks_channel, jobs_job, events_event, events_operatoraction"
            " CASCADE"
        )


def plans_of(path, query):
    """What each statement of a request reads of the large tables: rows, and by which scans."""
    sent = []

    def note(execute, sql, params, many, context):
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        answer = Client().get(f"/console/tables/{path}", query)
    assert answer.status_code == 200, answer.content
    for sql, params in sent:
        if not sql.lstrip().startswith(("SELECT", "WITH")):
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
            plan = cursor.fetchone()[0][0]["Plan"]
        scans = [node for node in nodes(plan) if node.get("Relation Name", "").startswith(LARGE)]
        read = sum(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            for node in scans
        )
        yield read, {node["Node Type"] for node in scans}


def queries(known):
    statuses = ["queued", "in_progress", "done", "failed", "locked"]
    each = [{}, *({"status": status} for status in statuses)]
    each += [{name: value} for name, value in known.items()]
    each += [
        {name: value, "status": status}
        for name, value in known.items()
        for status in ("queued", "failed")
    ]
    each += [{name: value, "text": known["text"]} for name, value in known.items()]
    return each


@pytest.mark.parametrize("what", ["", "/ids"])
@pytest.mark.parametrize("sort", ["newest", "oldest", "ended"])
def test_tasks_in_every_order_by_every_filter(filled, sort, what):
    found = {}
    for query in queries(filled):
        for read, scans in plans_of(f"tasks{what}", {**query, "sort": sort}):
            if read > MOST or "Seq Scan" in scans:
                found[str(query)] = read, scans

    assert found == {}


@pytest.mark.parametrize("what", ["", "/ids"])
def test_the_queue_of_a_channel(filled, what):
    query = {"sort": "queue", "channel_id": filled["channel_id"]}

    for read, scans in plans_of(f"tasks{what}", query):
        assert read <= 2 * MOST
        assert "Seq Scan" not in scans


FILTERS = {
    "actor": ["person 1", "nobody"],
    "kind": ["agent", "task", "none"],
    "verb": ["cancel", "none"],
    "refused": ["true"],
    "created_after": ["2026-01-01T00:00:00Z"],
    "created_before": ["2026-01-01T00:00:00Z", "2100-01-01T00:00:00Z"],
}
MOST_USES = 3 * 20_000
"""A window of rows; of each use in it all rows, which may reach beyond; and whether any was
refused."""


def test_uses_of_verbs_by_every_filter(filled):
    pairs = [(name, value) for name, values in FILTERS.items() for value in values]
    chosen = [{}, *({name: value} for name, value in pairs)]
    chosen += [dict(both) for both in product(pairs, pairs)]
    found = {}
    for query in chosen:
        for read, scans in plans_of("actions", query):
            if read > MOST_USES or "Seq Scan" in scans:
                found[str(query)] = read, scans

    assert found == {}


def test_the_rows_of_a_use(filled):
    shown = Client().get("/console/tables/actions").json()["uses"]
    first = next(use for use in shown if use["count"] == 10_000)

    for read, scans in plans_of(f"actions/{first['id']}", {}):
        assert read <= 200
        assert "Seq Scan" not in scans
