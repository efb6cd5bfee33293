"""Creating and reading sweeps over HTTP (contract 1.3, 1.4)."""

import re
from datetime import datetime, timedelta

import pytest
from django.db import DataError

from accounts import callers
from agents import transitions as agents
from agents.models import Protocol
from jobs import transitions
from jobs.grid import Grid, Listed
from jobs.models import Job
from jobs.sweeps import Sweep
from tasks.models import Channel, Task
from tests.factories import make_agent, silence
from tests.jobs.calls import row
from tests.jobs.sweeps import CONSTANT, artifact, grid, ranges
from tests.spots.calls import UNKNOWN, data, refusal

pytestmark = pytest.mark.django_db


def test_creating_a_sweep_answers_as_in_the_seed(sweeps):
    body = data(sweeps.post("", ranges(algorithms=["PSO", "GA"], dimension=(1, 3, 1))), 201)

    assert body.keys() == {"success", "jobId", "totalTasks"}
    assert (body["success"], body["totalTasks"]) == (True, 6)
    assert re.fullmatch("job-[0-9a-f]{32}", body["jobId"])
    assert row(body["jobId"]).counted_total == 6


def test_a_new_sweep_shows_the_fields_of_the_seed(sweeps):
    job_id = sweeps.make()

    body = sweeps.job(job_id)

    assert body["id"] == body["jobId"] == job_id
    assert (body["status"], body["totalTasks"]) == ("PENDING", 1)
    assert (body["completedTasks"], body["failedTasks"]) == (0, 0)
    assert datetime.fromisoformat(body["createdAt"]).utcoffset() == timedelta()
    assert body["createdAt"].endswith("Z")
    assert not {"startedAt", "finishedAt"} & body.keys()


def test_a_sweep_shows_its_request(sweeps):
    body = ranges(algorithms=["PSO"], name="first try", priority=3, maxAttempts=5)

    shown = sweeps.job(sweeps.make(body))

    assert shown | body == shown | {"maxAttempts": 5}


def test_a_sweep_of_the_second_form_shows_its_request(sweeps):
    body = artifact(run={"x": {"type": "INT_RANGE", "min": 1, "max": 3}}, optimizerId="opt-1")

    shown = sweeps.job(sweeps.make(body))

    assert shown | body == shown
    assert shown["totalTasks"] == 3


def test_rules_of_a_sweep_are_those_of_its_tasks(sweeps):
    sweeps.make(priority=7, maxAttempts=2, retryDelaySeconds=30)

    task = Task.objects.get()

    assert (task.priority, task.max_attempts, task.retry_delay_seconds) == (7, 2, 30)
    assert task.channel == Channel.objects.get(name="sweeps")


def test_attempts_are_by_default_those_of_the_settings(sweeps, settings):
    settings.MAX_ATTEMPTS = 4

    sweeps.make()

    assert Task.objects.get().max_attempts == 4


def test_tasks_are_queued_in_the_order_of_submission(sweeps, spots):
    sweeps.make(algorithms=["PSO", "GA"], dimension=(2, 4, 1))

    tasks = spots.claim()

    assert [(task["params"]["alg"], task["params"]["dimension"]) for task in tasks] == [
        *(("PSO", 2), ("PSO", 3), ("PSO", 4)),
        *(("GA", 2), ("GA", 3), ("GA", 4)),
    ]


def test_b8_a_large_sweep_does_not_overtake_one_that_came_before(sweeps, spots):
    small, large = sweeps.of(2), sweeps.of(9)

    assert [task["jobId"] for task in spots.claim()] == [small] * 2 + [large] * 8


def test_a_sweep_of_higher_priority_goes_first(sweeps, spots):
    sweeps.of(2)
    urgent = sweeps.of(1, priority=5)

    assert spots.claim_one()["jobId"] == urgent


def test_a_body_of_another_type_is_read_all_the_same(sweeps, client):
    response = client.generic("POST", "/api/v1/jobs", b"{", "text/plain")

    assert refusal(response) == (400, "invalid JSON")


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'"text"', b"\xff"])
def test_an_invalid_sweep_is_refused(sweeps, body):
    assert refusal(sweeps.post("", body))[0] == 400
    assert not Job.objects.exists()


def test_b10_a_bad_parameter_makes_nothing(sweeps):
    body = artifact(run={"good": CONSTANT, "bad": {"type": "INT_RANGE", "min": 1}})

    assert refusal(sweeps.post("", body)) == (400, "run.bad.max is required")
    assert not Job.objects.exists()


def test_b10_a_sweep_that_is_too_large_is_refused_with_its_count(sweeps):
    status, message = refusal(sweeps.post("", grid(n=65_536, m=65_536)))

    assert status == 400
    assert "4294967296" in message
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_b10_a_sweep_is_made_whole_or_not_at_all():
    unstorable = Listed("n", (*range(2_500), "\0"))
    sweep = Sweep(specification={}, grid=Grid((unstorable,)), under="params")

    with pytest.raises(DataError):
        transitions.create_sweep(sweep, by=callers.LOCAL)

    assert (Job.objects.count(), Task.objects.count()) == (0, 0)


def test_a_dry_run_counts_and_shows_the_first_payloads(sweeps):
    body = data(sweeps.post("", ranges(dimension=(1, 100, 1)), dry_run="true"))

    assert body == {
        "success": True,
        "dryRun": True,
        "totalTasks": 100,
        "payloads": [
            {"alg": "PSO", "iterations": 100, "agents": 10, "dimension": dimension}
            for dimension in range(1, 6)
        ],
    }
    assert not Job.objects.exists()


def test_a_dry_run_refuses_the_same_requests(sweeps):
    assert refusal(sweeps.post("", grid(n=1_000_000), dry_run="true"))[0] == 400


@pytest.mark.parametrize("spelled", ["idempotencyKey", "idempotency_key"])
def test_a_repeated_key_returns_the_first_job(sweeps, spelled):
    body = ranges() | {spelled: "key-1"}

    first = data(sweeps.post("", body), 201)
    again = data(sweeps.post("", body), 200)

    assert again == first
    assert Job.objects.count() == Task.objects.count() == 1


@pytest.mark.parametrize("other", [{"mainClass": "Other"}, {"priority": 1}, {"name": "other"}])
def test_a_key_that_was_used_for_another_sweep_is_refused(sweeps, other):
    body = ranges(idempotencyKey="key-1")
    sweeps.make(body)

    assert refusal(sweeps.post("", body | other))[0] == 409
    assert Job.objects.count() == 1


@pytest.mark.parametrize("job_id", ["job-1", "1", f"job-{UNKNOWN}", "job-" + "0" * 32, "job-ä"])
@pytest.mark.parametrize("below", ["", "/results", "/best", "/statistics"])
def test_a_job_that_is_not_there(sweeps, job_id, below):
    assert refusal(sweeps.get(f"/{job_id}{below}")) == (404, "job not found")


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_a_job_that_is_not_there_is_not_steered(sweeps, verb):
    assert refusal(sweeps.post(f"/job-{'0' * 32}/{verb}")) == (404, "job not found")


@pytest.mark.parametrize("path", ["/", "/{job}/", "/{job}/results/", "/{job}/best/"])
def test_a_path_may_end_with_a_slash(sweeps, path):
    assert sweeps.get(path.format(job=sweeps.make())).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "", "GET, HEAD, POST"),
        ("POST", "/{job}", "GET, HEAD"),
        ("GET", "/{job}/cancel", "POST"),
        ("GET", "/{job}/retry", "POST"),
        ("PUT", "/{job}/results", "GET, HEAD"),
    ],
)
def test_the_answer_to_a_wrong_method_lists_the_right_ones(sweeps, client, method, path, allowed):
    response = client.generic(method, f"/api/v1/jobs{path.format(job=sweeps.make())}")

    assert refusal(response)[0] == 405
    assert set(response["Allow"].split(", ")) >= set(allowed.split(", ")) - {"HEAD"}


def test_progress_counts_running_and_pending_tasks(sweeps, spots):
    job_id = sweeps.of(4)
    done, failed, *_ = spots.claim(number=3)
    spots.complete(done)
    spots.fail(failed, retriable=False)

    body = sweeps.job(job_id)

    assert body["status"] == "RUNNING"
    assert (body["completedTasks"], body["failedTasks"], body["cancelledTasks"]) == (1, 1, 0)
    assert (body["runningTasks"], body["pendingTasks"]) == (1, 1)
    assert body["progress"] == 0.5
    assert body["startedAt"].endswith("Z")
    assert "finishedAt" not in body


def test_time_left_is_estimated_by_the_pace_so_far(sweeps, spots):
    job_id = sweeps.of(4)
    assert sweeps.job(job_id)["estimatedSecondsLeft"] is None
    task, *others = spots.claim()
    assert sweeps.job(job_id)["estimatedSecondsLeft"] is None

    spots.complete(task)
    Job.objects.filter(pk=row(job_id).pk).update(
        started_at=row(job_id).counted_started_at - timedelta(seconds=100)
    )

    assert 300 <= sweeps.job(job_id)["estimatedSecondsLeft"] < 330
    for other in others:
        spots.complete(other)
    assert sweeps.job(job_id)["estimatedSecondsLeft"] == 0


def offering(*algorithms, agent_id="spot-1"):
    spot = agents.Beat(agent_id, protocol=Protocol.SPOT, offers={"algorithm": list(algorithms)})
    return agents.beat(spot)


def test_unserved_tasks_are_shown(sweeps):
    offering("PSO", "DE")
    job_id = sweeps.make(algorithms=["PSO", "GA", "ABC"], dimension=(1, 3, 1))

    unserved = sweeps.job(job_id)["unserved"]

    assert sorted(unserved, key=str) == [
        {"wants": {"algorithm": "ABC"}, "tasks": 3},
        {"wants": {"algorithm": "GA"}, "tasks": 3},
    ]


def test_a_spot_that_names_nothing_can_do_everything(sweeps):
    agents.beat(agents.Beat("spot-1", protocol=Protocol.SPOT))

    assert sweeps.job(sweeps.make())["unserved"] == []


def test_an_agent_that_is_no_spot_serves_no_sweep(sweeps):
    make_agent()

    assert sweeps.job(sweeps.make())["unserved"] == [{"wants": {"algorithm": "PSO"}, "tasks": 1}]


def test_offline_agents_serve_no_task(sweeps):
    silence(offering("PSO"))

    assert sweeps.job(sweeps.make())["unserved"] == [{"wants": {"algorithm": "PSO"}, "tasks": 1}]


def test_a_task_that_runs_is_served(sweeps, spots):
    job_id = sweeps.make()
    spots.claim_one()
    silence(make_agent("spot-1"))

    assert sweeps.job(job_id)["unserved"] == []


def test_the_parameter_schema_names_groups_and_parameters(client):
    body = data(client.get("/api/v1/parameter-schema"))

    named = {
        group["id"]: [parameter["id"] for parameter in group["parameters"]]
        for group in body["groups"]
    }
    assert named == {"algorithm": ["function"], "run": ["iterations", "agents", "dimension"]}
    assert "sphere" in body["groups"][0]["parameters"][0]["options"]
