"""`GET /api/v1/health`: counts of work, or that the database is away (seed 004, 2.1)."""

import socket
import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import httpx
import pytest
from django.db import connection

from agents.models import Agent
from jobs import tally
from spots import health
from tests.factories import make_held_task, silence
from tests.serving import NO_TLS, serving
from tests.spots.calls import data, make_sweep

URL = "/api/v1/health"


@pytest.fixture
def in_thread(transactional_db):
    """Run a call where health asks the database; that connection ends with the test."""
    yield lambda call: health.pool.submit(call).result(timeout=20)
    health.pool.submit(lambda: connection.close()).result(timeout=20)


@pytest.fixture
def asked(spots, in_thread):
    return lambda: data(spots.get(URL))


def test_an_empty_coordinator_is_healthy(asked):
    body = asked()

    assert body.pop("version") == "2.0.0"
    assert body.pop("uptime").endswith("m")
    assert body == {
        "status": "healthy",
        "database": "connected",
        "activeSpots": 0,
        "pendingTasks": 0,
        "runningTasks": 0,
        "verification": {"verified": False, "user_authenticated": False},
    }


def test_clients_of_seed_001_find_it_where_they_look(spots, in_thread):
    assert data(spots.get("/api/health")).keys() == data(spots.get(URL)).keys()
    assert spots.get("/api/v1/health/x").status_code == 404
    assert spots.client.get(URL, headers={"authorization": "Bearer nobody's"}).status_code == 200


def counts(body):
    return body["pendingTasks"], body["runningTasks"]


@pytest.mark.parametrize("folding", [False, True], ids=["tallies", "folded"])
def test_tasks_of_all_jobs_are_counted_at_any_moment(asked, spots, folding):
    def now():
        if folding:
            tally.fold()
        return counts(asked())

    make_sweep(3)
    make_sweep(2)
    assert now() == (5, 0)
    first, second = spots.claim(number=2)
    assert now() == (3, 2)
    data(spots.complete(first))
    assert now() == (3, 1)
    data(spots.fail(second))
    assert now() == (4, 0)


def test_tasks_of_other_protocols_are_not_counted(asked):
    make_held_task()

    assert counts(asked()) == (0, 0)


def test_spots_that_are_up_are_counted(asked, spots):
    for name in ("spot-1", "spot-2", "spot-3"):
        data(spots.beat(name))
    Agent.objects.create(pk="agent-1")
    silence(Agent.objects.get(pk="spot-3"), timedelta(seconds=11))

    assert asked()["activeSpots"] == 2


def test_health_needs_two_queries_for_any_amount_of_work(in_thread, django_assert_num_queries):
    make_sweep(50)

    def look():
        with django_assert_num_queries(2):
            return health.look()

    assert in_thread(look)["pendingTasks"] == 50


def test_a_connection_that_broke_is_made_anew(asked, in_thread):
    def backend():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]

    asked()
    broken = in_thread(backend)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [broken])

    assert asked()["database"] == "connected"
    assert in_thread(backend) != broken


def test_it_is_public_and_answers_to_get_alone(spots, settings, in_thread):
    settings.COORDINATOR_AUTH_TOKEN = "t"

    for path in (URL, f"{URL}/"):
        assert spots.send("get", path, REMOTE_ADDR="203.0.113.9").status_code == 200
        assert spots.send("head", path).status_code == 200
    refused = spots.send("post", URL, {})
    assert refused.status_code == 405
    assert refused["Allow"] == "GET, HEAD"
    assert refused.json().keys() == {"success", "error"}


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0h 0m"), (59, "0h 0m"), (11_520, "3h 12m"), (360_000, "100h 0m")]
)
def test_uptime_is_shown_in_hours_and_minutes(seconds, shown):
    assert health.uptime(seconds) == shown


WITH_SESSION = {"cookie": f"sessionid={'x' * 32}"}


def unhealthy(server):
    """The answer of a server without a database to a signed-in caller, and its time."""
    started = time.monotonic()
    response = httpx.get(server.url + URL, headers=WITH_SESSION, timeout=60, verify=NO_TLS)
    took = time.monotonic() - started
    assert response.status_code == 503
    body = response.json()
    assert body.keys() == {"status", "database"}
    assert body["status"] == "unhealthy"
    return body["database"], took


@pytest.mark.django_db(transaction=True)
def test_health_says_that_the_database_is_away():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with serving(COORDINATOR_DATABASE_URL=f"postgresql://u:p@127.0.0.1:{port}/d") as server:
        assert unhealthy(server)[0] == "cannot be reached"


@contextmanager
def waiting(server, path, headers):
    """A request that has been sent, and whose answer nobody reads."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{k}: {v}" for k, v in headers.items())]
    with socket.create_connection(server.listening.getsockname()) as sent:
        sent.sendall("\r\n".join([*lines, "", ""]).encode())
        yield


@pytest.mark.django_db(transaction=True)
def test_health_answers_in_time_while_many_wait_for_a_silent_database():
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        database = f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/d"
        server = stack.enter_context(serving(COORDINATOR_DATABASE_URL=database))
        for _ in range(12):
            stack.enter_context(waiting(server, "/v1/agents", server.headers))
        stack.enter_context(waiting(server, "/v1/stream", WITH_SESSION))
        answers = [unhealthy(server) for _ in range(3)]

    assert {why for why, _ in answers} == {"does not answer"}
    # Each takes less than two seconds where the machine is not busy; behind those who wait the
    # first of them would take more than ten.
    assert sum(took for _, took in answers) < 9
