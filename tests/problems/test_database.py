"""Failures of the database, each as the database itself reports it, and what clients are told."""

import logging

import psycopg
import pytest
from django.db import connection
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from events import direct
from tests.factories import make_channel, make_task
from tests.jobs.sweeps import ranges

pytestmark = pytest.mark.django_db(transaction=True)


class FailingView(APIView):
    """Fails in the database with the given SQLSTATE."""

    def get(self, request, state):
        with connection.cursor() as cursor:
            cursor.execute(
                f"DO $$ BEGIN RAISE EXCEPTION 'row 42' USING ERRCODE = '{state}'; END $$"
            )
        return Response({})


urlpatterns = [
    path("v1/fail/<state>", FailingView.as_view()),
    path("api/v1/fail/<state>", FailingView.as_view()),
]


@pytest.fixture
def fail(client, settings):
    settings.ROOT_URLCONF = __name__
    client.raise_request_exception = False
    return lambda state, family="/v1": client.get(f"{family}/fail/{state}")


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("08006", "database_away"),
        ("25006", "read_only"),
        ("25P04", "transaction_timeout"),
        ("40001", "conflicting_changes"),
        ("40P01", "deadlock"),
        ("53000", "database_short"),
        ("53100", "disk_full"),
        ("53200", "database_short"),
        ("53300", "too_many_connections"),
        ("55P03", "lock_timeout"),
        ("57014", "statement_timeout"),
        ("57P01", "database_stopping"),
        ("57P03", "database_stopping"),
        ("58030", "database_storage"),
    ],
)
def test_what_may_succeed_when_repeated_is_503_and_says_why(fail, state, cause):
    answer = fail(state)

    assert answer.status_code == 503
    assert int(answer["Retry-After"]) >= 1
    error = answer.json()["error"]
    assert (error["code"], error["cause"]) == ("unavailable", cause)
    assert "42" not in error["message"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("22001", "too long"),
        ("22003", "number"),
        ("22P05", "cannot be stored"),
        ("54000", "too large"),
        ("54001", "nested too deeply"),
    ],
)
def test_what_a_value_of_the_request_caused_is_400(fail, state, words):
    answer = fail(state)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_request")
    assert words in error["message"]
    assert "Retry-After" not in answer


@pytest.mark.parametrize("state", ["23505", "42P01", "25P02", "54023", "XX000", "P0001"])
def test_a_fault_of_ours_is_500_and_never_to_be_repeated(fail, state):
    answer = fail(state)

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "Retry-After" not in answer


def test_the_family_of_spots_is_told_in_its_own_form(fail):
    answer = fail("53100", "/api/v1")

    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert answer.json() == {
        "success": False,
        "error": "The database's disk is full; try again later.",
    }


def test_the_log_names_the_cause_in_one_line(fail, caplog):
    fail("40P01")

    (line,) = [record for record in caplog.records if record.message == "database"]
    assert (line.levelno, line.cause) == (logging.WARNING, "deadlock")
    assert line.exc_info is None


@pytest.fixture
def read_only():
    """A database that takes no changes, as a standby after a failover."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    yield
    connection.close()


CHANGES = [
    ("/v1/channels", {"name": "another"}),
    ("/v1/tasks/claim", {"agent_id": "a", "channels": ["a"], "max_tasks": 1}),
    ("/v1/agents/heartbeat", {"agent_id": "a"}),
    ("/v1/events", {"type": "a.b", "agent_id": "a"}),
    ("/internal/v1/hello", {"spotId": "s"}),
    ("/api/v1/jobs", ranges()),
]


@pytest.mark.usefixtures("read_only")
@pytest.mark.parametrize(("url", "body"), CHANGES)
def test_a_change_of_a_read_only_database_is_503(client, caplog, url, body):
    answer = client.post(url, body, content_type="application/json")

    assert (answer.status_code, answer.get("Retry-After")) == (503, "5"), answer.content
    assert b"takes no changes now" in answer.content
    assert "Traceback" not in caplog.text


def test_a_person_who_signs_in_to_a_read_only_database_is_told_so(client, caplog):
    User.objects.create_superuser("ann", password="open sesame")
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        answer = client.post("/login", {"username": "ann", "password": "open sesame"})
    finally:
        connection.close()

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Content-Type"].startswith("text/html")
    assert "takes no changes now" in answer.content.decode()
    assert "Traceback" not in caplog.text


def test_reading_goes_on_while_the_database_is_read_only(client, read_only):
    assert client.get("/v1/tasks").status_code == 200


def test_a_statement_that_takes_too_long_says_when_to_try_again(client):
    make_task()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 300")
    with another() as other, connection.cursor() as cursor:
        other.execute("LOCK TABLE tasks_task")
        answer = client.get("/v1/tasks")
    connection.close()

    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert answer.json()["error"]["cause"] == "statement_timeout"


def test_a_lock_that_others_keep_is_503(client):
    make_channel(name="a")
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 100")
    with another() as other:
        other.execute("LOCK TABLE tasks_channel")
        answer = client.post("/v1/channels", {"name": "b"}, content_type="application/json")
    connection.close()

    assert answer.json()["error"]["cause"] == "lock_timeout"


def test_a_terminated_connection_is_503_once(client):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    with another(autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    answer = client.get("/v1/tasks")
    connection.close_if_unusable_or_obsolete()  # as the end of a request does

    assert answer.status_code == 503
    assert answer.json()["error"]["cause"] in {"database_stopping", "database_away"}
    assert client.get("/v1/tasks").status_code == 200


def another(**more):
    given = connection.get_connection_params()
    kept = {name: value for name, value in given.items() if name not in direct.OF_DJANGO}
    return psycopg.connect(**kept, **more)
