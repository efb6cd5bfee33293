"""Many results in one answer take little memory and no open transaction or request thread."""

import csv
import json
import socket
import time
import tracemalloc
from contextlib import ExitStack

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from jobs.models import Job
from tasks.models import Task
from tests.factories import make_agent
from tests.jobs.test_races import make_sweep
from tests.serving import TOKEN, serving

pytestmark = pytest.mark.django_db(transaction=True)

TASKS = 3_000
SIZE = 8 * 1024 * 1024  # bytes that their results have at least: more than an answer is kept whole
THREADS = 4
OPEN = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND pid <> pg_backend_pid() AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)"""


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), serving() as server:
        yield server


@pytest.fixture
def path():
    return done_sweep(TASKS)


def done_sweep(tasks):
    """The path of the results of a sweep of which every task is done."""
    job = make_sweep(tasks)
    Task.objects.filter(job=job).update(
        status="done",
        finished_at=Now(),
        lease_epoch=F("lease_epoch") + 1,
        result={"fopt": 0.5, "resultJson": "x" * 3_000},
    )
    return f"/api/v1/jobs/{Job.objects.get(pk=job.pk).public_id}/results"


def test_all_results_arrive_in_each_form(server, path):
    with server.client() as client:
        whole = client.get(path)
        lines = client.get(path, params={"format": "ndjson"})
        table = client.get(path, params={"format": "csv", "sort": "-dimension"})

    assert len(whole.content) > SIZE
    answer = json.loads(whole.content)
    assert (len(answer["results"]), answer["totalCompleted"]) == (TASKS, TASKS)
    assert [json.loads(line) for line in lines.text.splitlines()] == answer["results"]
    rows = list(csv.DictReader(table.content.decode("utf-8-sig").splitlines()))
    assert [row["dimension"] for row in rows] == [str(n) for n in range(TASKS, 0, -1)]


@pytest.mark.parametrize("kind", ["json", "ndjson", "csv"])
def test_no_more_than_a_part_of_the_results_is_in_memory(client, path, kind):
    tracemalloc.start()
    response = client.get(path, {"format": kind})
    sent = sum(map(len, response.streaming_content))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # What is sent as JSON is more than SIZE, and its rows take more.
    assert sent > SIZE / 64
    assert peak < SIZE


def transactions_open():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(OPEN)
        return cursor.fetchone()[0]


def test_a_slow_reader_keeps_no_transaction_open(server, path):
    with server.client() as client, client.stream("GET", path) as response:
        pieces = response.iter_bytes(1024)
        next(pieces)
        deadline = time.monotonic() + 20
        while transactions_open():
            assert time.monotonic() < deadline, "a transaction stays open"
            time.sleep(0.05)

        assert sum(map(len, pieces)) > SIZE


def test_readers_that_leave_make_room_for_others(server, path):
    with server.client() as client:
        for _ in range(2 * THREADS):
            with client.stream("GET", path) as response:
                next(response.iter_bytes(1024))

        assert client.get("/api/v1/jobs").json()["jobs"][0]["totalTasks"] == TASKS


@pytest.mark.parametrize("form", ["", "?format=csv", "?sort=-dimension", "?failed=1&sort=fopt"])
def test_those_who_read_nothing_hold_up_nobody(server, path, form):
    """Twice as many as all threads of the process ask for all results, and do not read on."""
    request = f"GET {path}{form} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {TOKEN}\r\n\r\n"
    make_agent("busy")
    with ExitStack() as stack:
        for _ in range(4 * THREADS):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(server.listening.getsockname())
            reader.sendall(request.encode())
            reader.recv(1024)

        started = time.monotonic()
        with server.client() as client:
            assert client.post("/v1/agents/heartbeat", json={"agent_id": "busy"}).status_code == 200
            assert client.get("/api/v1/jobs").status_code == 200
            assert client.get("/health").status_code == 200
        assert time.monotonic() - started < 10
        while transactions_open():  # those who came last are still given their first piece
            assert time.monotonic() - started < 30


@pytest.mark.parametrize("sort", ["", "dimension"])
def test_a_row_that_goes_while_others_are_read_is_left_out(client, sort):
    """Nothing is held while a reader takes its time, so rows may change in between."""
    path = done_sweep(300)
    response = client.get(path, {"format": "ndjson", "sort": sort})
    pieces = iter(response.streaming_content)
    first = json.loads(next(pieces))["taskId"]
    last = str(Task.objects.order_by("pk").last().pk)
    Task.objects.filter(pk=last).delete()

    rest = [json.loads(piece)["taskId"] for piece in pieces]

    assert len({first, *rest}) == 299
    assert last not in rest
