"""What counts of a SPOT's requests: late results, what it gives back, and data that are wrong."""

import pytest

from tasks import leases
from tasks.models import Task
from tests.factories import let_lease_run_out, silence
from tests.spots.calls import counted, data, make_sweep, refusal

pytestmark = pytest.mark.django_db


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
        ({"waiting": [5]}, "waiting[0] must be an object"),
        ({"waiting": [{"taskId": "x", "leaseEpoch": 0}]}, "waiting[0].leaseEpoch must be from 1"),
        ({"waiting": ["\0"]}, "waiting[0].id must not contain NUL"),
    ],
)
def test_a_spot_whose_heartbeat_is_refused_is_up_and_keeps_its_tasks(spots, more, says):
    make_sweep()
    task = spots.claim_one()
    held = Task.objects.get(pk=task["id"])
    silence(held.agent)

    status, error = refusal(spots.beat(tasks=[task["id"]], **more))

    assert (status, error[: len(says)]) == (400, says)
    assert spots.listed()["status"] == "UP"
    assert Task.objects.get(pk=held.pk).lease_expires_at > held.lease_expires_at
    assert refusal(spots.beat("spot-9", **more)) == (400, error)
    assert spots.listed("spot-9") is None


def test_what_is_no_id_comes_back_as_it_was_sent(spots):
    assert data(spots.beat(tasks=["x", {"taskId": "y"}]))["lost"] == ["x", "y"]


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
