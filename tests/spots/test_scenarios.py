"""The older system's own tests (contract 004, 4), by their numbers there."""

import json
from datetime import timedelta

import pytest

from accounts import callers
from agents import transitions as agents
from agents.models import Agent
from jobs import forms, transitions
from tasks import leases
from tasks.models import Task
from tests.factories import let_lease_run_out, silence
from tests.jobs.sweeps import artifact
from tests.spots.calls import counted, data, make_sweep

pytestmark = pytest.mark.django_db


def row(task):
    return Task.objects.get(pk=task["id"])


def optimizers(*named):
    return {"optimizers": [{"optimizerId": one, "algorithms": list(a)} for one, a in named]}


def test_1_counters_over_http(spots):
    job = make_sweep()
    url = f"/api/v1/jobs/{job.public_id}"
    assert data(spots.get(url))["status"] == "PENDING"
    data(spots.beat())

    [task] = spots.claim(number=5)
    assert task["jobId"] == job.public_id
    data(spots.complete(task, fopt=0.001, unknownField={"x": 1}))
    again = data(spots.complete(task))

    assert again["message"] == "already completed"
    now = data(spots.get(url))
    assert (now["status"], now["completedTasks"], now["failedTasks"]) == ("COMPLETED", 1, 0)
    results = data(spots.get(f"{url}/results"))
    assert results["totalCompleted"] == 1
    assert results["results"][0]["fopt"] == 0.001


def test_2_a_task_is_claimed_once(spots):
    job = make_sweep()

    [task] = spots.claim()
    assert spots.claim() == []
    data(spots.complete(task))

    assert counted(job)[0] == "COMPLETED"
    assert spots.claim() == []


def test_4_the_whole_way(spots):
    job = make_sweep(3)
    spot_id = spots.hello()
    first, second, third = spots.claim(spot_id)
    assert {row(task).agent_id for task in (first, second, third)} == {spot_id}

    data(spots.complete(first, spot_id, runtimeMs=5, fopt=1.5, resultJson="{}"))
    assert "message" in data(spots.complete(first, spot_id))
    data(spots.complete(second, spot_id))
    assert data(spots.fail(third, spot_id, retriable=True))["willRetry"] is True
    assert (row(third).status, row(third).agent_id) == ("queued", None)
    [again] = spots.claim(spot_id)
    assert again["id"] == third["id"]
    data(spots.complete(again, spot_id))

    assert spots.claim(spot_id) == []
    assert counted(job) == ("COMPLETED", 3, 0)
    assert row(first).result == {"runtimeMs": 5, "fopt": 1.5, "resultJson": "{}"}


def test_5_the_last_attempt_fails_for_good(spots):
    make_sweep(maxAttempts=1)
    task = spots.claim_one()

    assert data(spots.fail(task, retriable=True))["willRetry"] is False
    assert row(task).status == "failed"
    assert data(spots.fail(task))["message"] == "already terminal"


def test_13_a_stuck_task_is_retried(spots):
    make_sweep()
    task = spots.claim_one()

    let_lease_run_out(row(task))
    leases.expire_leases()

    assert (row(task).status, row(task).agent_id, row(task).attempts) == ("queued", None, 1)


def test_14_a_stuck_task_without_attempts_fails(spots):
    job = make_sweep(maxAttempts=1)
    task = spots.claim_one()

    let_lease_run_out(row(task))
    leases.expire_leases()

    assert (row(task).status, row(task).dead_letter) == ("failed", "lease_expired")
    assert counted(job) == ("FAILED", 0, 1)


def test_15_and_16_fresh_and_ended_tasks_are_not_reaped(spots):
    make_sweep(2)
    done, fresh = spots.claim(number=2)
    data(spots.complete(done))

    let_lease_run_out(row(done))

    assert len(leases.expire_leases()) == 0
    assert (row(done).status, row(fresh).status) == ("done", "in_progress")


def test_17_all_that_are_stuck_are_tried_again(spots):
    make_sweep(3)
    tasks = spots.claim()
    for task in tasks:
        let_lease_run_out(row(task))

    leases.expire_leases()

    assert {row(task).status for task in tasks} == {"queued"}


def test_18_a_silent_spot_is_down_and_its_tasks_are_free(spots):
    make_sweep()
    data(spots.beat())
    task = spots.claim_one()

    silence(Agent.objects.get(pk="spot-1"), timedelta(seconds=11))
    agents.announce()
    leases.release_lost()

    assert spots.listed()["status"] == "DOWN"
    assert (row(task).status, row(task).agent_id) == ("queued", None)
    data(spots.beat())
    assert spots.listed()["status"] == "UP"


def test_19_a_spot_that_was_just_seen_keeps_its_tasks(spots):
    make_sweep()
    task = spots.claim_one()
    silence(Agent.objects.get(pk="spot-1"), timedelta(seconds=9))

    leases.release_lost()

    assert spots.listed()["status"] == "UP"
    assert row(task).agent_id == "spot-1"


def test_20_and_21_a_spot_gets_tasks_that_it_meets(spots):
    make_sweep(algorithms=("PSO",))
    elsewhere = spots.hello(capabilities=optimizers(("o1", ["DE"])))
    able = spots.hello(capabilities=optimizers(("o1", ["GA"]), ("o2", ["PSO"])))

    assert spots.claim(elsewhere) == []
    assert len(spots.claim(able)) == 1


def test_20_a_spot_that_declares_nothing_gets_everything(spots):
    make_sweep(4, algorithms=("PSO",))

    for capabilities in (None, {}, {"optimizers": []}, optimizers(("", []))):
        assert len(spots.claim(spots.hello(capabilities=capabilities), 1)) == 1, capabilities


def test_20_a_spot_that_comes_back_keeps_its_offers(spots):
    make_sweep(algorithms=("PSO",))
    spot_id = spots.hello(capabilities=optimizers(("o1", ["DE"])))

    silence(Agent.objects.get(pk=spot_id), timedelta(seconds=30))
    data(spots.beat(spot_id))

    assert spots.claim(spot_id) == []
    assert spots.hello(spotId=spot_id) == spot_id
    assert len(spots.claim(spot_id)) == 1


@pytest.mark.parametrize("reason", ["UNSUPPORTED", "MISSING_ARTIFACT", "unsupported"])
def test_22_a_refused_task_goes_to_other_spots_only(spots, reason):
    make_sweep()
    task = spots.claim_one("spot-1")

    answer = data(spots.fail(task, "spot-1", failureReason=reason, error="no such class"))

    assert answer == {"success": True, "willRetry": True, "failureReason": reason.upper()}
    assert row(task).attempts == 0
    assert spots.claim("spot-1") == []
    assert [one["id"] for one in spots.claim("spot-2")] == [task["id"]]


def test_22_a_task_that_all_refuse_is_a_dead_letter(spots):
    job = make_sweep(maxAttempts=2)

    retries = [
        data(spots.fail(spots.claim_one(name), name, failureReason="UNSUPPORTED"))["willRetry"]
        for name in ("spot-1", "spot-2")
    ]

    assert retries == [True, False]
    assert Task.objects.get().dead_letter == "unsupported"
    assert counted(job) == ("FAILED", 0, 1)


def test_27_two_spots_share_the_tasks(spots):
    make_sweep(5)

    first = spots.claim("spot-1", 3)
    second = spots.claim("spot-2", 10)

    assert (len(first), len(second)) == (3, 2)
    assert {row(task).agent_id for task in first} == {"spot-1"}
    assert [json.loads(task["payload"])["dimension"] for task in first + second] == [1, 2, 3, 4, 5]


def test_28_and_29_the_first_values_stay(spots):
    make_sweep()
    task = spots.claim_one()

    data(spots.complete(task, runtimeMs=7, iter=3, fopt=-12.5))
    data(spots.complete(task, runtimeMs=8, iter=4, fopt=0))

    assert row(task).result == {"runtimeMs": 7, "iter": 3, "fopt": -12.5}


def test_34_all_tasks_of_a_lost_spot_are_freed(spots):
    make_sweep(3)
    tasks = spots.claim()
    silence(Agent.objects.get(pk="spot-1"), timedelta(seconds=11))

    assert len(leases.release_lost().retried) == 3
    assert {row(task).agent_id for task in tasks} == {None}


def test_45_a_claimed_task_names_its_program_and_parameters(spots):
    asked = artifact(run={"iter": {"type": "CONSTANT", "value": 100}}, artifactEndpoint="http://s")
    transitions.create_sweep(forms.read(asked), by=callers.LOCAL)

    task = spots.claim_one()

    program = {name: task[name] for name in task if name.startswith(("artifact", "mainClass"))}
    assert program == {
        "artifactBucket": "bucket",
        "artifactKey": "opt.jar",
        "artifactEndpoint": "http://s",
        "mainClass": "com.example.Main",
    }
    assert "jarPath" not in task
    assert task["params"] == {**program, "params": {"run.iter": 100}}


def test_52_unknown_data_of_a_spot_are_left_out(spots):
    Agent.objects.create(pk="spot-1", protocol="spot")

    spot = spots.listed()

    assert "ipAddress" not in spot
    assert (spot["cpuLoad"], spot["runningTasks"], spot["totalCores"]) == (0, 0, 0)


def test_53_payloads_of_older_jobs_are_handed_out_as_they_are(spots):
    make_sweep()
    Task.objects.update(payload={"alg": "GA", "iterations": {"max": 50}})

    assert spots.claim_one()["params"] == {"alg": "GA", "iterations": {"max": 50}}
