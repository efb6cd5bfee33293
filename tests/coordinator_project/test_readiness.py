"""`GET /livez` and `/readyz`."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from coordinator_project import readiness, vitals
from coordinator_project.models import LeaderLease
from coordinator_project.readiness import LOOP, Readiness

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _new_look(monkeypatch):
    monkeypatch.setattr(readiness, "readiness", Readiness())
    monkeypatch.setattr(vitals, "present", vitals.Vitals())
    yield
    readiness.pool.submit(lambda: connection.close()).result(timeout=20)


def asked(client):
    answer = client.get("/readyz")
    body = answer.json()
    return answer.status_code, body["ok"], body["checks"], body["problems"]


def test_a_coordinator_without_a_loop_of_its_own_is_ready_with_its_database(client):
    assert asked(client) == (200, True, {"database": True, "migrations": True}, [])


def test_it_is_ready_once_somebody_leads_the_loop(client, monkeypatch):
    monkeypatch.setattr(readiness, "KEPT_FOR", 0)
    vitals.present.add(LOOP)

    status, ok, checks, problems = asked(client)
    assert (status, ok, checks["loop"]) == (503, False, False)
    assert problems == [readiness.NOT_LED]

    now = timezone.now()
    LeaderLease.objects.create(term=1, led_since=now, expires_at=now + timedelta(minutes=1), pid=1)
    assert asked(client)[0] == 200


def test_missing_migrations_are_a_reason_to_wait(client, monkeypatch):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET name = name || '-' WHERE app = 'tasks'")
    try:
        status, _, checks, problems = asked(client)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET name = rtrim(name, '-')")

    assert (status, checks["migrations"], problems) == (503, False, [readiness.NOT_MIGRATED])


def test_many_who_ask_cost_one_look(client, monkeypatch):
    looks = []
    monkeypatch.setattr(Readiness, "_look", lambda self: looks.append(1) or {"database": ""})

    for _ in range(5):
        assert client.get("/readyz").status_code == 200

    assert len(looks) == 1


def test_a_database_that_does_not_answer_is_told_in_time(client, monkeypatch):
    monkeypatch.setattr(readiness, "WITHIN", 0)

    assert asked(client) == (503, False, {"database": False}, [readiness.DATABASE_AWAY])


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_anybody_may_ask(path, settings):
    settings.COORDINATOR_AUTH_TOKEN = "a-secret-token"

    answer = Client().get(path, REMOTE_ADDR="192.0.2.7")

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
