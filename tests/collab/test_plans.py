"""The filters that seed 003 wants indexes for, each with the plan of its query on a large table."""

import pytest
from django.db import connection
from django.test import Client

from benchmarks import lists
from collab.models import Key
from tasks.models import Task
from tests.accounts.tokens import client_of, issue
from tests.console.people import make_person
from tests.tasks.plans import nodes, rerun

pytestmark = pytest.mark.django_db

TASKS = 20_000


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        lists.fill(TASKS)
        ids = Task.objects.filter(job=None).order_by("id").values_list("pk", flat=True)[:5_000]
        Key.objects.bulk_create(Key(key=f"k{n}", task_id=pk) for n, pk in enumerate(ids))
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE collab_key")
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE agents_agent, tasks_channel, jobs_job, events_event CASCADE")


def indexes(mark, ask):
    """The indexes that the first statement with this mark uses; it reads no table as a whole."""
    sent = []

    def note(execute, sql, params, many, context):
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        ask()
    plan = rerun(sent, mark)
    assert "Seq Scan" not in {node["Node Type"] for node in nodes(plan)}, plan
    return {node["Index Name"] for node in nodes(plan) if "Index Name" in node}


KEYS = 'SELECT "tasks_task"."id" AS "pk", "tasks_task"."created_at"'


def listed(query):
    answer = Client().get(f"/api/collab/jobs/recent?{query}")
    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize(
    ("query", "used"),
    [
        ("status=queued", {"task_status", "tasks_task_pkey"}),
        ("status=running", {"task_status", "task_in_progress", "tasks_task_pkey"}),
        ("status=dead_lettered", {"task_status", "tasks_task_pkey"}),
        ("executorId=list-channel-3", {"task_channel", "tasks_task_pkey"}),
        ("from=2020-01-31T12:00:00Z&to=2099-01-31T12:00:00Z", {"tasks_task_pkey"}),
        ("", {"tasks_task_pkey"}),
    ],
)
def test_a_list_is_read_by_an_index(filled, query, used):
    found = indexes(KEYS, lambda: listed(query))

    assert found
    assert found <= used


def test_a_key_is_found_by_its_own_index(filled):
    body = {"type": "x", "executorId": "list-channel-3", "idempotencyKey": "k77"}

    def ask():
        answer = Client().post("/api/collab/task.assign", body, content_type="application/json")
        assert answer.status_code == 409

    assert indexes('FROM "collab_key"', ask) == {"collab_key_is_unique", "tasks_task_pkey"}


def test_the_counts_of_a_user_read_a_bounded_part_by_the_index_of_statuses(filled):
    user = client_of(issue("of the user", user=make_person("User"), role="user").secret)

    def ask():
        assert user.get("/api/collab/metrics/overview").status_code == 200

    assert indexes("COUNT(", ask) == {"task_status"}
