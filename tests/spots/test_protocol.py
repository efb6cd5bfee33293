"""The seed's words: bodies, codes and messages of /internal/v1 (seed 004, 2.2)."""

import json

import pytest

from tasks import leases
from tasks.models import Task
from tests.factories import let_lease_run_out, silence
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


# Giving back, what is held besides, and data that are wrong.


def test_a_task_is_given_back_at_no_cost(spots):
    job = make_sweep()
    task = spots.claim_one()

    for _ in range(2):
        response = spots.post(f"/tasks/{task['id']}/release", spotId="spot-1", leaseEpoch=1)
        assert data(response) == {"success": True}

    again = spots.claim_one("spot-2")
    assert (again["id"], again["attempt"], again["leaseEpoch"]) == (task["id"], 1, 2)
    assert counted(job)[1:] == (0, 0)


def test_only_the_holder_gives_a_task_back(spots):
    make_sweep()
    task = spots.claim_one()
    path = f"/tasks/{task['id']}/release"

    for body in ({"spotId": "spot-2"}, {"spotId": "spot-1", "leaseEpoch": 2}):
        assert refusal(spots.post(path, **body)) == (409, "task not assigned to this spot")
    assert refusal(spots.post("/tasks/x/release", spotId="spot-1")) == (404, "task not found")
    assert refusal(spots.post(path)) == (400, "spotId is required")


def test_a_heartbeat_that_lists_tasks_is_told_what_the_spot_holds_besides(spots):
    make_sweep(2)
    one, two = spots.claim(number=2)

    assert data(spots.beat(tasks=[one["id"]]))["unlisted"] == [two["id"]]
    assert data(spots.beat(tasks=[]))["unlisted"] == [one["id"], two["id"]]
    assert "unlisted" not in data(spots.beat(tasks=[one["id"]], waiting=[{"taskId": two["id"]}]))
    assert "unlisted" not in data(spots.beat())
    assert Task.objects.filter(named_epoch=1).count() == 1


@pytest.mark.parametrize("more", [{"cachedArtifacts": ["x"] * 9000}, {"ramUsedMb": "much"}])
def test_a_heartbeat_with_wrong_data_is_taken_without_them(spots, more):
    answer = data(spots.beat(loadAvg1m=0.5, **more))

    assert answer.pop("ignored").keys() == more.keys()
    assert answer == {"success": True, "ok": True}
    assert spots.listed()["loadAvg1m"] == 0.5
    assert not spots.listed().keys() & more.keys()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"cpuLoad": 150}, "cpuLoad must be between 0 and 100"),
        ({"cpuLoad": None}, "cpuLoad is required"),
        ({"runningTasks": -1}, "runningTasks must be non-negative"),
        ({"totalCores": 0}, "totalCores must be positive"),
    ],
)
def test_a_spot_whose_heartbeat_is_refused_is_up_and_keeps_its_tasks(spots, more, says):
    make_sweep()
    task = spots.claim_one()
    held = Task.objects.get(pk=task["id"])
    silence(held.agent)

    assert refusal(spots.beat(tasks=[task["id"]], **more)) == (400, says)

    assert spots.listed()["status"] == "UP"
    assert Task.objects.get(pk=held.pk).lease_expires_at > held.lease_expires_at
    assert refusal(spots.beat("spot-9", **more)) == (400, says)
    assert spots.listed("spot-9") is None


def test_what_a_spot_says_of_a_failure_never_refuses_it(spots):
    make_sweep()
    task = spots.claim_one()
    said = {"error": "x\0" + "y" * 20_000, "outputSnippet": ["\ud800"], "exitCode": "nine"}

    answer = data(spots.fail(task, failureReason={"odd": 1}, retriable=False, **said))

    assert answer["willRetry"] is False
    reason = Task.objects.get(pk=task["id"]).fail_reason
    assert reason.startswith("x\u2400yy")
    assert "left out" in reason
    assert reason.endswith('["\ufffd"]')


# Ends that the coordinator decided.


def test_a_result_counts_after_the_lease_of_the_last_attempt_has_ended(spots):
    job = make_sweep(maxAttempts=1)
    task = spots.claim_one()
    let_lease_run_out(Task.objects.get(pk=task["id"]))
    leases.expire_leases()
    assert counted(job) == ("FAILED", 0, 1)

    assert data(spots.complete(task, fopt=0.5)) == {"success": True}

    assert counted(job) == ("COMPLETED", 1, 0)
    assert Task.objects.get(pk=task["id"]).result["fopt"] == 0.5
    assert data(spots.complete(task, fopt=0.5))["message"] == "already completed"


def test_a_failure_after_the_lease_of_the_last_attempt_has_ended_is_noted(spots):
    job = make_sweep(maxAttempts=1)
    task = spots.claim_one()
    let_lease_run_out(Task.objects.get(pk=task["id"]))
    leases.expire_leases()

    for _ in range(2):
        late = data(spots.fail(task, error="too late"))
        assert late == {"success": True, "message": "already terminal"}

    assert Task.objects.get(pk=task["id"]).fail_reason == "too late"
    assert counted(job) == ("FAILED", 0, 1)
    assert refusal(spots.complete(task)) == (409, "task not assigned to this spot")


def test_a_result_does_not_count_once_the_task_was_requeued(spots):
    job = make_sweep(maxAttempts=1)
    task = spots.claim_one()
    let_lease_run_out(Task.objects.get(pk=task["id"]))
    leases.expire_leases()
    data(spots.send("post", f"/api/v1/jobs/{job.public_id}/retry"))

    assert refusal(spots.complete(task)) == (409, "task not assigned to this spot")
    assert spots.claim_one("spot-2")["id"] == task["id"]


def test_many_hellos_leave_no_dead_letter(spots, settings):
    job = make_sweep()
    for _ in range(settings.MAX_LOSSES + 2):
        spots.hello(spotId="spot-1")
        task = spots.claim_one()
        data(spots.beat(tasks=[task["id"]]))

    spots.hello(spotId="spot-1")

    assert counted(job)[0] == "RUNNING"
    assert spots.claim_one("spot-2")["attempt"] == 1
