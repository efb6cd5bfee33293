"""A list of the admin reads a part of its table by an index, so its cost does not grow.

`benchmarks.lists` makes the rows; with a million of them a page costs as much as here.
"""

import pytest
from django.contrib import admin
from django.db import connection

from benchmarks import lists
from chains.models import Chain
from tasks.models import Task
from tests.console.people import browser_of
from tests.tasks.plans import rows_read

pytestmark = pytest.mark.django_db

TASKS = 60_000
MOST_ROWS = 25_000
"""The most rows of a table that a statement may read; a search for text reads 20,000."""
MOST_QUERIES = 10
LARGE = {"tasks_task", "events_event"}

LISTS = [
    f"{path}{query}"
    for path, queries in {
        "tasks/task": [
            "",
            "?p=100",
            "?status__exact=queued",
            "?status__exact=locked",
            "?status__exact=done",
            "?channel__id__exact={channel}",
            "?channel__id__exact={channel}&status__exact=failed",
            "?agent__id__exact=list-agent-7",
            "?agent__id__exact=nobody",
            "?dead_letter__exact=exhausted",
            "?dead_letter__exact=lease_expired",
            "?age=hour",
            "?age=older",
            "?q={task}",
            "?q=task 77",
            "?q=nothing at all",
            "?o={made}",
            "?o={made}&status__exact=done",
            "?o=1",
        ],
        "chains/chain": [
            "",
            "?p=20",
            "?status__exact=locked",
            "?channel__id__exact={channel}",
            "?owner__id__exact=list-agent-7",
            "?q=chain 7",
            "?q={chain}",
        ],
        "jobs/job": ["", "?p=20", "?status__exact=FAILED", "?q=sweep 7"],
        "events/event": [
            "",
            "?p=100",
            "?source__exact=agent",
            "?source__exact=coordinator",
            "?q={task}",
            "?q=list-agent-7",
            "?q=nothing",
        ],
        "events/operatoraction": ["", "?kind=task", "?q={task}", "?q=nobody"],
    }.items()
    for query in queries
]


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker):
    """Many tasks, chains, jobs and events."""
    with django_db_blocker.unblock():
        lists.fill(TASKS)
        known = {
            "task": Task.objects.order_by("id")[TASKS // 2].pk,
            "chain": Chain.objects.order_by("id")[100].pk,
            "channel": Task.objects.order_by("id")[TASKS // 2].channel_id,
            "made": admin.site._registry[Task].list_display.index("created_at"),
        }
    yield known
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE agents_agent, tasks_channel, jobs_job, events_event CASCADE")


@pytest.mark.parametrize("asked", LISTS)
def test_a_list_reads_a_part_of_a_large_table_in_a_few_queries(filled, asked):
    viewer = browser_of("Viewer")
    path, mark, query = asked.partition("?")
    statements = []

    def note(execute, sql, params, many, context):
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        page = viewer.get(f"/admin/{path}/{mark}{query.format(**filled)}")

    assert page.status_code == 200
    assert len(statements) <= MOST_QUERIES
    for sql, params in statements:
        if sql.startswith("SELECT"):
            assert rows_read(sql, params, LARGE) <= MOST_ROWS, sql
