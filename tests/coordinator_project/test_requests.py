import logging
import re

import pytest
from django.test import Client

from coordinator_project import requests


def test_health_is_public(client):
    answer = client.get("/health")

    assert answer.status_code == 200
    assert answer.json()["ok"] is True
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", answer.json()["time"])


def test_health_supports_no_other_method():
    answer = Client(enforce_csrf_checks=True).post("/health")

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_the_request_id_of_the_client_is_echoed(client):
    answer = client.get("/health", headers={"X-Request-Id": "build 17, step 3"})

    assert answer.headers["X-Request-Id"] == "build 17, step 3"


@pytest.mark.parametrize("given", ["", "x" * 201, "tab\there", "für", "line\r\nbreak"])
def test_an_id_that_is_not_fit_to_be_logged_is_replaced(given):
    made = requests.id_for(given)

    assert re.fullmatch(r"[0-9a-f]{24}", made)
    assert made != requests.id_for(given)


def test_the_longest_id_is_kept():
    assert requests.id_for("x" * 200) == "x" * 200


async def test_async_views_echo_the_id_too(async_client):
    answer = await async_client.get("/health", headers={"X-Request-Id": "mine"})

    assert answer.headers["X-Request-Id"] == "mine"


def test_a_refusal_is_one_line_without_the_query(client, caplog):
    with caplog.at_level(logging.INFO, "coordinator.request"):
        client.get("/nowhere?token=sesame", headers={"X-Request-Id": "mine"})

    (line,) = [record for record in caplog.records if record.name == "coordinator.request"]
    assert (line.levelname, line.method, line.path, line.status) == ("INFO", "GET", "/nowhere", 404)
    assert "sesame" not in str(line.__dict__)


def test_a_successful_answer_is_not_logged(client, caplog):
    with caplog.at_level(logging.INFO, "coordinator.request"):
        client.get("/health")

    assert caplog.records == []


def test_a_slow_answer_is_a_warning(client, caplog, monkeypatch):
    monkeypatch.setattr(requests, "SLOW", 0.0)

    with caplog.at_level(logging.INFO, "coordinator.request"):
        client.get("/health")

    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/v1/tasks",
        "/v1/tasks/nothing",
        "/v1/agents?limit=x",
        "/internal/v1/heartbeat",
        "/api/v1/jobs",
        "/api/v1/jobs/job-1/results",
        "/api/v1/nowhere",
        "/console/overview",
        "/v1/dashboard",
    ],
)
def test_no_answer_of_an_api_is_kept_by_anybody(client, path):
    assert client.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_refusals_are_not_kept_either(client, settings):
    settings.COORDINATOR_AUTH_TOKEN = "t"

    answer = client.get("/v1/tasks")

    assert (answer.status_code, answer.headers["Cache-Control"]) == (401, "no-store")
