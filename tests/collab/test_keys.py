"""Idempotency keys: one job for one request, however often it is sent and by whom."""

import pytest

from accounts.models import User
from tasks.models import Task
from tests.accounts.tokens import client_of, issue
from tests.collab.calls import Collab, data, refusal
from tests.console.people import group_of

pytestmark = pytest.mark.django_db

REQUEST = {
    "type": "build",
    "executorId": "builds",
    "payload": {"a": 1, "b": [2.5]},
    "idempotencyKey": "k1",
}


def of_user(name):
    person = User.objects.create_user(name)
    person.groups.add(group_of("User"))
    return Collab(client_of(issue(f"of {name}", user=person, role="user").secret))


def test_the_same_request_gets_the_first_job(collab):
    first = data(collab.post("/task.assign", **REQUEST))
    swapped = {**REQUEST, "executorId": "BUILDS", "payload": {"b": [2.5], "a": 1}}

    again = data(collab.post("/task.assign", **swapped))

    assert (first["queued"], again["queued"]) == (True, False)
    assert first["jobId"] == again["jobId"]
    assert collab.job(first["jobId"])["idempotency_key"] == "k1"
    assert Task.objects.count() == 1


def test_the_first_job_is_given_also_once_it_has_ended(collab):
    first = data(collab.post("/task.assign", **REQUEST))["jobId"]
    data(collab.result(collab.claim()))

    assert data(collab.post("/task.assign", **REQUEST)) == {"jobId": first, "queued": False}


@pytest.mark.parametrize(
    "other", [{"type": "test"}, {"executorId": "tests"}, {"payload": {"a": 1, "b": [2.6]}}]
)
def test_another_request_with_the_same_key_is_a_conflict(collab, other):
    data(collab.post("/task.assign", **REQUEST))

    answer = collab.post("/task.assign", **{**REQUEST, **other})

    assert refusal(answer) == (409, "idempotency_conflict")
    assert Task.objects.count() == 1


@pytest.mark.parametrize("key", ["dlq:", "dlq:01234567-89ab-7def-8123-456789abcdef"])
def test_nobody_takes_the_keys_of_replays(collab, key):
    answer = collab.post("/task.assign", **{**REQUEST, "idempotencyKey": key})

    assert refusal(answer) == (400, "validation_error")
    assert "idempotencyKey" in data(answer, 400)["details"]
    assert Task.objects.count() == 0


def test_the_key_of_another_user_is_a_conflict_that_says_nothing_of_the_job():
    one, other = of_user("one"), of_user("other")
    job_id = data(one.post("/task.assign", **REQUEST))["jobId"]

    answer = other.post("/task.assign", **REQUEST)

    assert refusal(answer) == (409, "idempotency_conflict")
    assert job_id not in answer.content.decode()
    assert data(one.post("/task.assign", **REQUEST))["jobId"] == job_id


def test_without_a_key_each_request_makes_a_job(collab):
    assert collab.assign() != collab.assign()


def test_an_executor_of_sweeps_or_commands_is_refused(collab, settings):
    for name in ("sweeps", settings.DEFAULT_QUEUE_NAME):
        answer = collab.post("/task.assign", type="build", executorId=name)
        assert refusal(answer) == (400, "validation_error")
        assert "executorId" in answer.json()["details"]


def test_a_type_that_means_something_else_here_is_refused(collab):
    for name in ("command", "request_claude_session"):
        answer = collab.post("/task.assign", type=name, executorId="builds")
        assert refusal(answer) == (400, "validation_error")
        assert "type" in answer.json()["details"]


def test_a_payload_with_a_number_beyond_64_bits_is_the_same_again_and_no_other_one(collab):
    payload = {"n": 10**30, "a": 1}
    first = data(collab.post("/task.assign", **REQUEST | {"payload": payload}))

    swapped = {"a": 1, "n": 10**30}
    again = data(collab.post("/task.assign", **REQUEST | {"payload": swapped}))
    other = collab.post("/task.assign", **REQUEST | {"payload": {"n": 10**30 + 1, "a": 1}})

    assert again == {"jobId": first["jobId"], "queued": False}
    assert refusal(other) == (409, "idempotency_conflict")
