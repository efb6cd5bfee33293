"""Every wait for a database that stands still, or that a network hides, comes to an end."""

import os
import signal
import threading
import time
from contextlib import contextmanager

import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction

from coordinator_project.postgres import base
from tests.coordinator_project.running import eventually
from tests.factories import make_channel
from tests.proxy import proxy
from tests.serving import serving, url

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(base, "LOOK_AFTER", 0.3)
    monkeypatch.setattr(base, "CONNECT_WITHIN", 2)


@contextmanager
def through(there):
    """Django's connection, through a proxy."""
    given = connection.settings_dict
    connection.close()
    kept = given["HOST"], given["PORT"]
    given["HOST"], given["PORT"] = "127.0.0.1", str(there.port)
    try:
        yield
    finally:
        connection.close()
        given["HOST"], given["PORT"] = kept


@pytest.fixture
def there():
    given = connection.settings_dict
    with proxy(given["HOST"] or "127.0.0.1", int(given["PORT"] or 5432)) as one:
        yield one


def ask(question="SELECT 1", *values):
    with connection.cursor() as cursor:
        cursor.execute(question, values or None)
        return cursor.fetchone()[0]


def test_a_blackholed_database_is_noticed(there):
    with through(there):
        ask()
        there.stop()

        started = time.monotonic()
        with pytest.raises(OperationalError, match="has not answered for"):
            ask()

        assert time.monotonic() - started < 10
        there.go_on()
        connection.close_if_unusable_or_obsolete()
        assert ask() == 1


def test_a_transaction_on_a_blackholed_database_ends_too(there):
    @transaction.atomic
    def two_questions():
        ask()
        there.stop()
        ask()

    with through(there):
        with pytest.raises(OperationalError):
            two_questions()
        there.go_on()

        assert ask() == 1


def test_a_blackholed_connection_attempt_ends(there, monkeypatch):
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "connect_timeout", "2")
    with through(there):
        there.stop()

        with pytest.raises(OperationalError, match="timeout"):
            ask()


def test_a_large_statement_that_cannot_be_sent_ends_too(there):
    with through(there):
        ask()
        there.stop()

        with pytest.raises(OperationalError, match="has not answered for"):
            ask("SELECT length(%s)", "x" * 30_000_000)
        there.go_on()


def test_an_answer_is_waited_for_while_the_server_answers_others():
    assert ask("SELECT 7 FROM pg_sleep(1.5)") == 7


def test_a_backend_that_stands_still_is_given_up_in_the_end(monkeypatch):
    monkeypatch.setattr(base.Connection, "answer_within", 1.0)
    pid = ask("SELECT pg_backend_pid()")
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(OperationalError, match="has not answered for"):
            ask()
    finally:
        os.kill(pid, signal.SIGCONT)

    connection.close_if_unusable_or_obsolete()
    assert ask() == 1


def test_many_who_wait_ask_once_whether_the_server_answers(monkeypatch):
    asked = []
    monkeypatch.setattr(base, "_answers", lambda parameters: asked.append(1) or True)
    probe = base.Probe()
    monkeypatch.setattr(base, "LOOK_AFTER", 60)

    threads = [threading.Thread(target=probe.answers, args=[{}]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert asked == [1]


def test_migrations_may_take_any_time(monkeypatch):
    monkeypatch.setattr(base.Connection, "answer_within", 0.5)
    ask()
    connection.connection.answer_within = None

    assert ask("SELECT 7 FROM pg_sleep(1.5)") == 7
    connection.close()


def test_keepalives_are_on_at_both_ends():
    server = {
        name: ask(f"SELECT current_setting('{name}')")
        for name in ("tcp_keepalives_idle", "tcp_keepalives_count", "tcp_user_timeout")
    }
    client = connections[DEFAULT_DB_ALIAS].get_connection_params()

    assert server == {
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "20000",
    }
    assert (client["keepalives_idle"], client["tcp_user_timeout"]) == ("10", "15000")


def test_claims_get_503_while_a_network_hides_the_database_and_go_on_after_it(there):
    given = connection.settings_dict
    names = {"user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    place = {key: given[name] for key, name in names.items() if given[name]}
    hidden = url(host="127.0.0.1", port=there.port, **place)
    make_channel(name="a")
    request = {"agent_id": "one", "channels": ["a"], "max_tasks": 1}
    with serving(COORDINATOR_DATABASE_URL=hidden) as server, server.client() as client:
        assert client.post("/v1/tasks/claim", json=request).status_code == 200
        there.stop()

        started = time.monotonic()
        answer = client.post("/v1/tasks/claim", json=request)
        waited = time.monotonic() - started

        assert (answer.status_code, answer.json()["error"]["cause"]) == (503, "database_away")
        assert waited < 20
        there.go_on()
        eventually(lambda: client.post("/v1/tasks/claim", json=request).status_code == 200)
    assert "Traceback" not in "".join(server.errors)
