"""The seed's words: bodies, codes and messages of /internal/v1 (seed 004, 2.2)."""

import json

import pytest

from tasks.models import Task
from tests.spots.calls import UNKNOWN, counted, data, make_sweep, refusal

pytestmark = pytest.mark.django_db


def test_hello_makes_a_spot(spots):
    body = data(spots.post("/hello", ipAddress="192.168.1.100"))

    assert body["spotId"].startswith("spot-")
    assert body["coordinatorVersion"] == "2.0.0"
    assert spots.listed(body["spotId"])["ipAddress"] == "192.168.1.100"


def test_an_empty_hello_registers_the_peer_address(spots):
    for body in (b"", {}, {"ipAddress": "my-machine"}, {"ipAddress": None}):
        spot_id = data(spots.send("post", "/internal/v1/hello", body))["spotId"]

        assert spots.listed(spot_id)["ipAddress"] == "127.0.0.1", body


def test_each_hello_makes_another_spot(spots):
    assert spots.hello() != spots.hello()


def test_hello_registers_data_and_capabilities(spots):
    optimizers = [
        {"optimizerId": "o1", "version": "1", "algorithms": ["PSO", "GA"], "functions": ["f"]},
        {"optimizerId": "o2", "algorithms": ["GA", "DE"]},
    ]
    info = {"host": "h", "cpuCores": 8, "ramMb": 4096, "maxConcurrent": 3, "labels": ["gpu"]}
    spot_id = spots.hello(spotInfo=info, capabilities={"optimizers": optimizers})

    spot = spots.listed(spot_id)

    assert (spot["totalCores"], spot["maxConcurrent"], spot["labels"]) == (8, 3, ["gpu"])
    assert (spot["host"], spot["ramMb"]) == ("h", 4096)
    assert [one["optimizerId"] for one in spot["capabilities"]["optimizers"]] == ["o1", "o2"]


def test_a_heartbeat_is_answered_with_success(spots):
    assert data(spots.beat(ipAddress="10.0.0.7")) == {"success": True, "ok": True}

    spot = spots.listed()
    assert spot.pop("lastHeartbeat").endswith("Z")
    assert spot.pop("registeredAt").endswith("Z")
    assert spot == {
        "id": "spot-1",
        "spotId": "spot-1",
        "ipAddress": "10.0.0.7",
        "status": "UP",
        "cpuLoad": 10.5,
        "runningTasks": 0,
        "totalCores": 4,
        "tasks": 0,
        "draining": False,
    }


def test_a_known_address_stays_until_the_spot_sends_another(spots):
    spot_id = spots.hello(ipAddress="10.0.0.7")

    spots.beat(spot_id)
    assert spots.listed(spot_id)["ipAddress"] == "10.0.0.7"
    spots.beat(spot_id, ipAddress="10.0.0.8")
    assert spots.listed(spot_id)["ipAddress"] == "10.0.0.8"


def test_data_of_newer_workers_are_kept(spots):
    more = {"ramUsedMb": 100, "ramTotalMb": 200, "loadAvg1m": -1.0, "diskFreeGb": 1.5}
    data(spots.beat(**more, cachedArtifacts=["a.jar"]))
    data(spots.beat())

    spot = spots.listed()
    assert more.items() <= spot.items()
    assert spot["cachedArtifacts"] == ["a.jar"]


def test_a_claim_gets_what_a_worker_needs(spots):
    job = make_sweep()

    [task] = spots.claim()

    assert task["id"] == task["taskId"]
    assert task["jobId"] == job.public_id
    params = {"alg": "PSO", "iterations": 100, "agents": 10, "dimension": 1}
    assert json.loads(task["payload"]) == task["params"] == params
    assert task["jarPath"] == job.specification["jarPath"]
    assert task["mainClass"] == job.specification["mainClass"]
    assert (task["leaseEpoch"], task["attempt"], task["maxAttempts"]) == (1, 1, 3)
    assert task["leaseExpiresAt"].endswith("Z")
    assert not any(name.startswith("artifact") for name in task)


def test_an_unknown_spot_may_claim_and_is_registered(spots):
    make_sweep()

    assert len(spots.claim("ghost")) == 1
    assert spots.listed("ghost")["status"] == "UP"


def test_one_task_is_claimed_by_default(spots):
    make_sweep(3)

    assert len(data(spots.post("/tasks/claim", spotId="spot-1"))["tasks"]) == 1
    assert len(spots.claim(number=10)) == 2


def test_with_nothing_to_do_the_list_is_empty(spots):
    assert data(spots.post("/tasks/claim", spotId="spot-1", maxTasks=5)) == {"tasks": []}


def test_a_completed_task_is_done_with_the_whole_result(spots):
    job = make_sweep()
    task = spots.claim_one()
    result = {
        "runtimeMs": 1500,
        "iter": 100,
        "fopt": -0.00123,
        "resultJson": '{"converged": true}',
        "bestPos": [1.5, 2],
        "charts": {"best": [3, 2, 1]},
        "peakRamMb": 512,
    }

    assert data(spots.complete(task, **result, unknown="x")) == {"success": True}
    assert Task.objects.get(pk=task["id"]).result == result
    assert counted(job) == ("COMPLETED", 1, 0)


def test_absent_fields_are_left_out_of_the_result(spots):
    make_sweep()
    task = spots.claim_one()

    data(spots.complete(task))

    assert Task.objects.get(pk=task["id"]).result == {"runtimeMs": 0}


def test_completing_again_changes_nothing(spots):
    job = make_sweep()
    task = spots.claim_one()
    data(spots.complete(task, fopt=1))

    for epoch in ({}, {"leaseEpoch": 1}):
        again = data(spots.complete(task, fopt=2, **epoch))
        assert again == {"success": True, "message": "already completed"}
    assert Task.objects.get(pk=task["id"]).result["fopt"] == 1
    assert counted(job) == ("COMPLETED", 1, 0)


def test_a_result_that_is_thrown_away_is_never_answered_as_taken(spots):
    make_sweep(2)
    done, failed = spots.claim(number=2)
    data(spots.complete(done, fopt=1))
    data(spots.fail(failed, retriable=False))

    for response in (
        spots.complete(done, "spot-2", fopt=3),
        spots.complete(done, fopt=3, leaseEpoch=7),
        spots.complete(failed, fopt=3),
    ):
        assert refusal(response) == (409, "task not assigned to this spot")
    assert Task.objects.get(pk=failed["id"]).status == "failed"


def test_failing_retries_until_the_attempts_are_spent(spots):
    job = make_sweep()

    answers = [data(spots.fail(spots.claim_one(), error=f"e{n}", retriable=True)) for n in range(3)]

    assert answers == [{"success": True, "willRetry": again} for again in (True, True, False)]
    assert counted(job) == ("FAILED", 0, 1)


def test_a_failure_is_retried_by_default(spots):
    make_sweep()

    assert data(spots.fail(spots.claim_one()))["willRetry"] is True
    assert data(spots.fail(spots.claim_one(), retriable=False))["willRetry"] is False
    assert spots.claim() == []


def test_failing_an_ended_task_says_so(spots):
    make_sweep(2)
    done, failed = spots.claim(number=2)
    data(spots.complete(done))
    data(spots.fail(failed, retriable=False))

    for task in (done, failed):
        for spot_id in ("spot-1", "spot-2"):
            again = data(spots.fail(task, spot_id))
            assert again == {"success": True, "message": "already terminal"}


def test_the_same_failure_reported_twice_counts_once(spots):
    make_sweep()
    task = spots.claim_one()

    first, again = spots.fail(task, error="x"), spots.fail(task, error="x")

    assert data(first) == data(again) == {"success": True, "willRetry": True}
    assert Task.objects.get(pk=task["id"]).attempts == 1


@pytest.mark.parametrize("task_id", [UNKNOWN, "task-001", "null", "x" * 300, "%ff"])
@pytest.mark.parametrize("verb", ["complete", "fail"])
def test_an_unknown_task_is_not_found(spots, verb, task_id):
    for more in ({}, {"failureReason": "UNSUPPORTED"}):
        response = spots.post(f"/tasks/{task_id}/{verb}", spotId="spot-1", **more)

        assert refusal(response) == (404, "task not found")


def test_another_spots_task_is_not_touched(spots, caplog):
    make_sweep()
    task = spots.claim_one("spot-1")

    for response in (
        spots.complete(task, "spot-2", fopt=1),
        spots.fail(task, "spot-2"),
        spots.fail(task, "spot-2", failureReason="UNSUPPORTED"),
    ):
        assert refusal(response) == (409, "task not assigned to this spot")
    held = Task.objects.get(pk=task["id"])
    assert (held.status, held.agent_id) == ("in_progress", "spot-1")
    message = f"Spot spot-2 tried to complete task {task['id']} but it's assigned to spot-1"
    assert ("coordinator.spots", 30, message) in caplog.record_tuples


def test_an_unclaimed_task_cannot_be_completed(spots):
    make_sweep()
    task = {"id": str(Task.objects.get().pk)}

    assert refusal(spots.complete(task)) == (409, "task not assigned to this spot")
    assert refusal(spots.fail(task)) == (409, "task not assigned to this spot")
    assert Task.objects.get().status == "queued"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "spotId is required"),
        ({"spotId": " "}, "spotId is required"),
        ({"spotId": None}, "spotId is required"),
        ({"cpuLoad": 150}, "cpuLoad must be between 0 and 100"),
        ({"cpuLoad": -0.1}, "cpuLoad must be between 0 and 100"),
        ({"cpuLoad": None}, "cpuLoad is required"),
        ({"runningTasks": -1}, "runningTasks must be non-negative"),
        ({"totalCores": 0}, "totalCores must be positive"),
        ({"totalCores": None}, "totalCores is required"),
        ({"cpuLoad": "45"}, "cpuLoad must be a number"),
        ({"tasks": [5]}, "tasks[0] must be an object"),
    ],
)
def test_an_invalid_heartbeat_is_refused(spots, body, message):
    spot_id = {} if body == {} else {"spotId": "spot-1"}
    usual = spot_id | {"cpuLoad": 10.5, "runningTasks": 0, "totalCores": 4}

    assert refusal(spots.post("/heartbeat", **usual | body)) == (400, message)
    assert spots.listed() is None


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (0, "maxTasks must be positive"),
        (-5, "maxTasks must be positive"),
        (11, "maxTasks cannot exceed 10"),
        (100, "maxTasks cannot exceed 10"),
        ("4", "maxTasks must be a whole number"),
    ],
)
def test_a_claim_takes_from_one_to_ten(spots, number, message):
    response = spots.post("/tasks/claim", spotId="spot-1", maxTasks=number)

    assert refusal(response) == (400, message)
    assert refusal(spots.post("/tasks/claim")) == (400, "spotId is required")


def test_an_invalid_report_is_refused_before_its_task_is_looked_for(spots):
    path = f"/tasks/{UNKNOWN}/complete"

    assert refusal(spots.post(path)) == (400, "spotId is required")
    negative = spots.post(path, spotId="spot-1", runtimeMs=-1)
    assert refusal(negative) == (400, "runtimeMs must be non-negative")
    assert refusal(spots.post(f"/tasks/{UNKNOWN}/fail")) == (400, "spotId is required")


def test_names_of_fields_match_without_regard_to_case(spots):
    body = {"SPOTID": "spot-1", "CpuLoad": 1, "runningtasks": 0, "totalCORES": 1}

    assert data(spots.post("/heartbeat", **body))["ok"] is True


def test_a_slash_at_the_end_does_no_harm(spots):
    make_sweep(2)

    [task] = data(spots.post("/tasks/claim/", spotId="spot-1"))["tasks"]
    data(spots.post(f"/tasks/{task['id']}/complete/", spotId="spot-1"))
    data(spots.post("/hello/"))
    data(spots.get("/api/v1/spots/"))


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_any_content_type_will_do(client, content_type):
    response = client.generic("POST", "/internal/v1/hello", b'{"ipAddress":"::1"}', content_type)

    assert data(response)["spotId"]
