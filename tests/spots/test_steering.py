"""How a SPOT learns of operators' verbs: draining and cancelled jobs."""

from datetime import timedelta

import pytest

from agents.models import Agent
from tasks import leases
from tasks.models import Task
from tests.factories import silence
from tests.spots.calls import data, make_sweep, refusal

pytestmark = pytest.mark.django_db


def row(task):
    return Task.objects.get(pk=task["id"])


def cancel(spots, job):
    data(spots.send("post", f"/api/v1/jobs/{job.public_id}/cancel"))


def test_a_heartbeat_names_lost_and_cancelled_tasks(spots):
    job = make_sweep(4)
    spot_id = spots.hello()
    first, second, third = spots.claim(spot_id, 3)
    other = spots.claim_one("spot-2")
    data(spots.complete(first, spot_id))
    cancel(spots, job)
    Agent.objects.filter(pk=spot_id).update(draining=True)
    past = {"id": third["id"], "leaseEpoch": 7}

    answer = data(spots.beat(spot_id, tasks=[first["id"], second["id"], other["id"], past, "x"]))

    assert answer.pop("lost") == [*sorted([first["id"], other["id"], third["id"]]), "x"]
    assert sorted(answer.pop("cancelled")) == sorted([second["id"], third["id"]])
    assert answer == {"success": True, "ok": True, "drain": True}


def test_a_report_on_a_cancelled_task_says_so(spots):
    job = make_sweep(3)
    first, second, third = spots.claim(number=3)
    cancel(spots, job)

    assert data(spots.complete(first)) == {"success": True}
    assert data(spots.fail(second)) == {"success": True, "willRetry": False}
    assert refusal(spots.complete(second)) == (409, "task was cancelled")
    assert data(spots.fail(second))["message"] == "already terminal"
    silence(Agent.objects.get(pk="spot-1"), timedelta(seconds=11))
    leases.release_lost()
    assert refusal(spots.complete(third)) == (409, "task was cancelled")
    assert [row(task).status for task in (first, second, third)] == [
        "done",
        "cancelled",
        "cancelled",
    ]


def test_a_draining_spot_finishes_its_tasks_and_gets_no_more(spots):
    make_sweep(2)
    task = spots.claim_one()
    Agent.objects.filter(pk="spot-1").update(draining=True)

    assert spots.claim() == []
    assert data(spots.complete(task)) == {"success": True}
    assert spots.listed()["draining"] is True
    assert len(spots.claim("spot-2")) == 1
