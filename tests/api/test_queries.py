"""Parameters of queries: true and false, times with any offset, and empty ones."""

import pytest

from tests.factories import make_agent, make_job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/agents", "online"),
        ("/api/v1/tokens", "all"),
        ("/api/v1/jobs/{job}/results", "failed"),
    ],
)
def test_true_and_false_are_read_or_refused(client, path, name):
    path = path.format(job=make_job(tasks=1).public_id)

    for value in ("true", "False", "1", "no", ""):
        assert client.get(path, {name: value}).status_code == 200, value
    for value in ("maybe", "-1", "null", "tru"):
        refused = client.get(path, {name: value})
        assert refused.status_code == 400
        assert f"{name} must be true or false" in refused.content.decode()


def test_a_sweep_is_made_only_if_it_is_clear_that_it_should_be(client):
    refused = client.post("/api/v1/jobs?dry_run=maybe", SWEEP, "application/json")
    planned = client.post("/api/v1/jobs?dry_run=TRUE", SWEEP, "application/json")

    assert (refused.status_code, planned.json()["dryRun"]) == (400, True)


RANGE = {"min": 1, "max": 1, "step": 1}
SWEEP = {
    "jarPath": "/opt/optimizer.jar",
    "mainClass": "com.example.Main",
    "algorithms": ["PSO"],
    "iterations": RANGE,
    "agents": RANGE,
    "dimension": RANGE,
}


def test_those_who_are_online_are_listed_alone(client):
    agent = make_agent("here")

    def listed(online):
        return [row["id"] for row in client.get(f"/v1/agents?online={online}").json()["agents"]]

    assert (listed("yes"), listed("false"), listed("")) == ([agent.pk], [], [agent.pk])


@pytest.mark.parametrize("path", ["/v1/events", "/v1/tasks", "/v1/dead-letters"])
@pytest.mark.parametrize("offset", ["+22:49", "-23:59", "+16:00", "Z"])
def test_a_time_may_have_any_offset(client, path, offset):
    after = client.get(path, {"created_after": f"0414-06-08T21:56:18{offset}"})

    assert after.status_code == 200


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_time_that_is_beyond_all_years_elsewhere_is_the_end_of_time(client, time):
    assert client.get("/v1/events", {"created_before": time}).status_code == 200
    assert client.get("/v1/tasks", {"created_after": time}).status_code == 200


def test_an_empty_filter_of_results_is_none(client):
    path = f"/api/v1/jobs/{make_job(tasks=1).public_id}/results"

    for name in ("fopt_min", "runtimeMs_max", "iter_min", "spot", "algorithm", "sort", "cursor"):
        assert client.get(path, {name: ""}).status_code == 200, name


def test_a_blank_time_to_come_is_none(client):
    token = {"name": "forever", "agent_id": "agent-1", "expires_at": " "}

    made = client.post("/api/v1/tokens", token, "application/json")

    assert made.json()["expires_at"] is None
