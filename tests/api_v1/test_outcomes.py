"""Outcomes stand alone, and a reason, which is only passed on, never refuses one."""

import pytest

from tests.api_v1.calls import UNKNOWN, data, message, refusal
from tests.api_v1.reporting import done, failed, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(api):
    return api.channel()


@pytest.fixture
def held(api, channel):
    """A task that agent `a` holds."""
    api.task(channel)
    return api.claim("a", channel)


WRONG = [
    ({}, "outcomes[1].task_id_required", "invalid_request"),
    ({"task_id": UNKNOWN}, "outcomes[1].status_required", "invalid_request"),
    ({"task_id": UNKNOWN, "status": "queued"}, "outcomes[1].status must be one of", None),
    ({"task_id": UNKNOWN, "status": "done", "lease_epoch": "1"}, "lease_epoch", "bad_json"),
    ({"task_id": UNKNOWN, "status": "done", "result": "x" * 300_000}, "result", None),
    ({"task_id": UNKNOWN, "status": "done", "result": {"a": "x\0"}}, "outcomes[1].result.a", None),
    ({"task_id": UNKNOWN, "status": "done", "result": ["\ud800"]}, "outcomes[1].result[0]", None),
    ({"task_id": "\0", "status": "done"}, "outcomes[1].task_id", "invalid_request"),
    ({"task_id": UNKNOWN, "status": "done", "\0": 1}, "outcomes[1].", "invalid_request"),
    (5, "outcomes[1] must be an object", "bad_json"),
    (None, "outcomes[1] must be an object", "bad_json"),
]


@pytest.mark.parametrize(("wrong", "says", "code"), WRONG)
def test_a_wrong_outcome_is_refused_alone(api, channel, wrong, says, code):
    for _ in range(3):
        api.task(channel)
    one, two, three = (api.claim("a", channel) for _ in range(3))

    body = data(report(api, done(one, result=1), wrong, failed(two), claim={"channel": "work"}))

    first, second, third = body["outcomes"]
    assert (first["answer"], third["answer"]) == ("accepted", "accepted")
    assert second["answer"] == "refused"
    assert says in second["error"]["message"]
    assert code in {None, second["error"]["code"]}
    assert [api.fresh(task)["status"] for task in (one, two, three)] == [
        "done",
        "failed",
        "in_progress",
    ]
    assert body["tasks"] == []


def test_an_outcome_of_what_is_no_id_is_lost_and_named_as_it_was_sent(api, channel, held):
    body = data(report(api, {"task_id": " job 7 ", "status": "done"}, done(held)))

    lost, taken = body["outcomes"]
    assert (lost["task_id"], lost["answer"]) == ("job 7", "lost")
    assert lost["error"]["message"] == "There is no task 'job 7'."
    assert (taken["task_id"], taken["answer"]) == (held["id"], "accepted")


def test_a_refused_outcome_names_its_task(api, channel, held):
    wrong = done(held, result={"a": "x\0"})

    (answer,) = data(report(api, wrong))["outcomes"]

    assert (answer["task_id"], answer["answer"]) == (held["id"], "refused")
    assert "NUL" in answer["error"]["message"]
    assert api.fresh(held)["status"] == "in_progress"


def test_a_task_named_twice_is_judged_twice(api, held):
    first, again, other = data(report(api, done(held), done(held), failed(held)))["outcomes"]

    assert [first["answer"], again["answer"]] == ["accepted", "already"]
    assert (other["answer"], other["error"]["code"]) == ("lost", "conflict")


REASONS = [
    ("x\0y", "x\u2400y"),
    ("a \ud800 b \udfff", "a \ufffd b \ufffd"),
    ("\ud83d\ude00 \0", "\U0001f600 \u2400"),
    ("\\u0000", "\\u0000"),
    ({"code": 7}, '{"code":7}'),
    (7, "7"),
    (None, ""),
]


@pytest.mark.parametrize(("reason", "kept"), REASONS)
def test_a_reason_is_only_passed_on_and_never_refuses_a_fail(api, held, reason, kept):
    assert data(api.fail(held, agent_id="a", reason=reason))["task"]["status"] == "failed"

    assert api.fresh(held).get("fail_reason", "") == kept


@pytest.mark.parametrize(("reason", "kept"), REASONS)
def test_a_reason_is_only_passed_on_in_a_report_too(api, held, reason, kept):
    (answer,) = data(report(api, failed(held, reason=reason)))["outcomes"]

    assert answer["answer"] == "accepted"
    assert api.fresh(held).get("fail_reason", "") == kept


def test_a_long_reason_keeps_its_beginning_and_its_end(api, held):
    trace = "begin" + "x" * 150_000 + "the error"

    data(api.fail(held, agent_id="a", reason=trace))

    kept = api.fresh(held)["fail_reason"]
    assert len(kept) == 100_000
    assert kept.startswith("beginxx")
    assert kept.endswith("xxthe error")
    assert "characters and more left out" in kept


def test_what_cannot_be_stored_is_refused_where_it_is_not_only_passed_on(api, held):
    response = api.post("/tasks/fail", task_id=held["id"], agent_id="a\0", reason="x\0")

    assert refusal(response) == (400, "invalid_request")
    assert "agent_id" in message(response)
    assert api.fresh(held)["status"] == "in_progress"
