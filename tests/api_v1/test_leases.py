"""Assign, renew, cancel, unlock and requeue."""

import pytest

from agents.models import Agent
from tests.api_v1.calls import UNKNOWN, data, message, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(api):
    return api.channel()


@pytest.fixture
def held(api, channel):
    """A task that agent `a` holds for a minute."""
    api.task(channel)
    return api.claim("a", channel, lease_seconds=60)


@pytest.fixture
def step(api, channel):
    """A task of a chain that agent `a` owns."""
    api.task(channel, chain_id=api.chain(channel)["id"])
    return api.claim("a", channel)


def renew(api, task, **more):
    return api.post(f"/tasks/{task['id']}/renew", **{"agent_id": "a"} | more)


def cancel(api, task, **more):
    return api.post(f"/tasks/{task['id']}/cancel", **more)


def requeue(api, task, **more):
    return api.post(f"/tasks/{task['id']}/requeue", **more)


def test_assign_gives_a_queued_task_to_an_agent(api, channel):
    task = api.task(channel)

    given = data(api.assign(task, "new"))["task"]

    assert (given["status"], given["assigned_agent_id"]) == ("in_progress", "new")
    assert given["lease_epoch"] == 1
    assert data(api.get("/agents/new/current-task"))["task"]["id"] == task["id"]


def test_assign_again_changes_nothing(api, channel):
    task = api.task(channel)
    first = data(api.assign(task, "a"))

    assert data(api.assign(task, "a")) == first


def test_assign_does_not_take_from_another(api, held):
    assert refusal(api.assign(held, "b")) == (409, "conflict")
    assert api.fresh(held)["assigned_agent_id"] == "a"
    assert not Agent.objects.filter(pk="b").exists()


@pytest.mark.parametrize("status", ["done", "failed", "cancelled"])
def test_assign_does_not_revive_a_task(api, channel, status):
    task = api.task(channel)
    if status == "cancelled":
        cancel(api, task)
    else:
        api.claim("a", channel)
        {"done": api.complete, "failed": api.fail}[status](task)

    assert refusal(api.assign(task, "b")) == (409, "conflict")


def test_assign_obeys_the_order_and_the_owner_of_a_chain(api, channel, step):
    second = api.task(channel, chain_id=step["chain_id"])

    assert refusal(api.assign(second, "a")) == (409, "conflict")
    api.complete(step, agent_id="a")
    assert refusal(api.assign(second, "b")) == (409, "conflict")
    assert data(api.assign(second, "a"))["task"]["status"] == "in_progress"


def test_assign_passes_the_chain_on_with_the_task(api, channel):
    chain = api.chain(channel)
    first = api.task(channel, chain_id=chain["id"])

    api.assign(first, "a")

    shown = api.fresh_chain(chain["id"])
    assert (shown["status"], shown["owner_agent_id"]) == ("in_progress", "a")


def test_assign_gives_nothing_of_a_chain_with_a_locked_task(api, channel, step):
    second = api.task(channel, chain_id=step["chain_id"])
    api.detach(step["chain_id"], "a")

    assert refusal(api.assign(second, "b")) == (409, "conflict")


@pytest.mark.parametrize("task_id", [UNKNOWN, "nonsense"])
def test_an_unknown_task_is_not_assigned(api, task_id):
    assert refusal(api.assign({"id": task_id}, "a")) == (404, "not_found")
    assert not Agent.objects.exists()


def test_assign_needs_task_and_agent(api, channel):
    task = api.task(channel)

    assert message(api.post("/tasks/assign", agent_id="a")) == "task_id_required"
    assert message(api.post("/tasks/assign", task_id=task["id"])) == "agent_id_required"


def test_renewal_sets_a_new_end_of_the_lease(api, held):
    body = data(renew(api, held, lease_seconds=3600, lease_epoch=1))

    assert body["task"]["lease_expires_at"] > held["lease_expires_at"]
    assert body["cancel_asked"] is False
    again = data(renew(api, held))["task"]
    assert again["lease_expires_at"] > body["task"]["lease_expires_at"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [({"lease_epoch": 2}, "lease_lost"), ({"agent_id": "b"}, "conflict")],
)
def test_only_the_holder_renews(api, held, sent, code):
    assert refusal(renew(api, held, **sent)) == (409, code)
    assert api.fresh(held) == held
    assert not Agent.objects.filter(pk="b").exists()


def test_a_task_without_a_lease_is_not_renewed(api, channel):
    assert refusal(renew(api, api.task(channel))) == (409, "conflict")
    assert refusal(renew(api, {"id": UNKNOWN})) == (404, "not_found")
    assert refusal(renew(api, {"id": "nonsense"})) == (404, "not_found")
    assert not Agent.objects.exists()


def test_renewal_needs_an_agent(api, held):
    response = api.post(f"/tasks/{held['id']}/renew")

    assert (refusal(response), message(response)) == (
        (400, "invalid_request"),
        "agent_id_required",
    )


def test_a_queued_task_is_cancelled_at_once(api, channel):
    task = data(cancel(api, api.task(channel), reason="not needed"))["task"]

    assert task["status"] == "cancelled"
    assert "finished_at" in task
    assert "done_at" not in task
    assert data(cancel(api, task))["task"] == task
    assert refusal(api.post("/tasks/claim", agent_id="a", channel="work")) == (404, "no_tasks")


def test_cancel_needs_no_body(api, channel):
    task = api.task(channel)

    assert data(api.send("post", f"/tasks/{task['id']}/cancel"))["task"]["status"] == "cancelled"


def test_a_cancelled_task_in_progress_is_asked_to_stop(api, held):
    asked = data(cancel(api, held))["task"]

    assert asked["status"] == "in_progress"
    assert asked["cancel_asked_at"].endswith("Z")
    assert data(renew(api, held))["cancel_asked"] is True
    assert api.beat("a", tasks=[held["id"]])["cancel_asked"] == [held["id"]]
    assert data(api.fail(held, agent_id="a", retriable=True))["task"]["status"] == "cancelled"
    assert api.beat("a")["cancel_asked"] == []


def test_completion_wins_over_an_asked_cancellation(api, held):
    cancel(api, held)

    assert data(api.complete(held, agent_id="a"))["task"]["status"] == "done"


def test_a_forced_cancellation_takes_the_task_from_its_agent(api, held):
    cancel(api, held)

    assert data(cancel(api, held, force=True))["task"]["status"] == "cancelled"
    assert refusal(api.complete(held, agent_id="a")) == (409, "conflict")
    assert api.beat("a", tasks=[held["id"]])["lost"] == [held["id"]]


@pytest.mark.parametrize("verb", ["complete", "fail"])
def test_a_finished_task_is_not_cancelled(api, held, verb):
    api.post(f"/tasks/{verb}", task_id=held["id"])

    assert refusal(cancel(api, held)) == (409, "conflict")


def test_a_locked_task_may_be_cancelled(api, step):
    api.detach(step["chain_id"], "a")

    assert data(cancel(api, step))["task"]["status"] == "cancelled"
    assert api.fresh_chain(step["chain_id"])["status"] == "done"


@pytest.mark.parametrize("verb", [cancel, requeue])
@pytest.mark.parametrize("task_id", [UNKNOWN, "nonsense"])
def test_nothing_is_done_to_an_unknown_task(api, verb, task_id):
    assert refusal(verb(api, {"id": task_id})) == (404, "not_found")


def test_a_failed_task_is_requeued_with_all_its_attempts(api, held):
    api.fail(held, agent_id="a", reason="broke")

    task = data(requeue(api, held, reason="repaired"))["task"]

    assert task["status"] == "queued"
    assert "attempts" not in task
    assert "assigned_agent_id" not in task
    assert len(api.fresh(held)["bad_attempts"]) == 1


def test_only_a_failed_task_is_requeued(api, held):
    assert refusal(requeue(api, held)) == (409, "conflict")
    api.complete(held)
    assert refusal(requeue(api, held)) == (409, "conflict")


def test_a_locked_task_goes_back_to_the_queue(api, channel, step):
    api.detach(step["chain_id"], "a")
    assert api.fresh(step)["assigned_agent_id"] == "a"

    task = data(api.status(step, "queued"))["task"]

    assert task["status"] == "queued"
    assert task.keys().isdisjoint({"assigned_agent_id", "claimed_at", "reserved_for"})
    assert api.fresh_chain(step["chain_id"])["status"] == "queued"
    assert api.claim("b", channel)["id"] == step["id"]


def test_a_locked_task_may_be_marked_done(api, step):
    api.detach(step["chain_id"], "a")

    task = data(api.status(step, "done"))["task"]

    assert (task["status"], task["done_at"]) == ("done", task["finished_at"])
    assert refusal(api.status(step, "queued")) == (409, "conflict")
    assert api.fresh_chain(step["chain_id"])["status"] == "done"


@pytest.mark.parametrize("status", ["failed", "in_progress", "locked"])
def test_no_other_status_is_set(api, step, status):
    api.detach(step["chain_id"], "a")

    assert refusal(api.status(step, status)) == (409, "conflict")
    assert api.fresh(step)["status"] == "locked"


@pytest.mark.parametrize("status", ["queued", "done"])
def test_only_a_locked_task_is_unlocked(api, channel, held, status):
    waiting = api.task(channel)

    assert refusal(api.status(held, status)) == (409, "conflict")
    assert refusal(api.status(waiting, status)) == (409, "conflict")
    assert refusal(api.status({"id": UNKNOWN}, status)) == (404, "not_found")
