"""The list of dead letters reads few rows, however many there are."""

import pytest
from django.db import connection
from django.test import Client

from collab.models import DeadLetter
from tasks import transitions
from tasks.models import Task
from tests.factories import fail_at_once, make_channel
from tests.tasks.plans import rows_read

pytestmark = pytest.mark.django_db

LETTERS = 5_000
MOST_ROWS = 200  # of letters and their tasks, for a page of 20


def test_a_page_of_dead_letters_reads_few_rows():
    channel = make_channel()
    transitions.enqueue([Task(channel=channel, title="x") for _ in range(LETTERS)], by="tests")
    fail_at_once(Task.objects.filter(channel=channel))
    assert DeadLetter.objects.count() == LETTERS
    sent = []

    def note(execute, sql, params, many, context):
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE collab_deadletter, tasks_task")
    with connection.execute_wrapper(note):
        assert Client().get("/functions/v1/dlq-list").json()["count"] == 20

    tables = {"tasks_task", "collab_deadletter"}
    read = [rows_read(*one, tables) for one in sent if one[0].startswith("SELECT")]
    assert 20 <= max(read) <= MOST_ROWS
