"""Complete, fail and report, also too late."""

import pytest

from agents.models import Agent
from tasks.models import Task
from tests.api_v1.calls import UNKNOWN, data, message, refusal
from tests.api_v1.reporting import done, failed, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(api):
    return api.channel()


@pytest.fixture(params=["alone", "in a chain"])
def held(request, api, channel):
    """A task that agent `a` holds, once without and once with a chain."""
    where = {} if request.param == "alone" else {"chain_id": api.chain(channel)["id"]}
    api.task(channel, **where)
    return api.claim("a", channel)


def test_complete_keeps_the_result(api, held):
    task = data(api.complete(held, agent_id="a", result={"n": [1, None]}))["task"]

    assert (task["status"], task["result"]) == ("done", {"n": [1, None]})
    assert task["done_at"] == task["finished_at"]
    assert task["assigned_agent_id"] == "a"
    assert api.fresh(held) == task


@pytest.mark.parametrize("result", [0, False, "", [], {}, 1.5, "text", -(2**63)])
def test_any_json_may_be_a_result(api, held, result):
    assert data(api.complete(held, agent_id="a", result=result))["task"]["result"] == result


def test_complete_without_a_result_shows_none(api, held):
    assert "result" not in data(api.complete(held, agent_id="a"))["task"]


def test_fail_keeps_the_reason(api, held):
    task = data(api.fail(held, agent_id="a", reason="no disk"))["task"]

    assert (task["status"], task["fail_reason"], task["attempts"]) == ("failed", "no disk", 1)
    assert "done_at" not in task
    (attempt,) = api.fresh(held)["bad_attempts"]
    assert {k: attempt[k] for k in ("lease_epoch", "agent_id", "outcome", "reason")} == {
        "lease_epoch": 1,
        "agent_id": "a",
        "outcome": "failed",
        "reason": "no disk",
    }


def test_a_fail_that_may_be_retried_puts_the_task_back(api, channel, held):
    task = data(api.fail(held, agent_id="a", reason="flaky", retriable=True))["task"]

    assert (task["status"], task["attempts"]) == ("queued", 1)
    assert "assigned_agent_id" not in task
    assert api.claim("a", channel)["id"] == held["id"]


@pytest.mark.parametrize("verb", ["complete", "fail"])
def test_an_operator_needs_no_agent_id(api, held, verb):
    task = data(api.post(f"/tasks/{verb}", task_id=held["id"]))["task"]

    assert task["status"] in {"done", "failed"}


@pytest.mark.parametrize("verb", ["complete", "fail"])
def test_the_same_report_again_changes_nothing(api, held, verb):
    first = data(api.post(f"/tasks/{verb}", task_id=held["id"], agent_id="a"))

    assert data(api.post(f"/tasks/{verb}", task_id=held["id"], agent_id="a")) == first
    by_epoch = api.post(f"/tasks/{verb}", task_id=held["id"], agent_id="a", lease_epoch=1)
    assert data(by_epoch) == first


@pytest.mark.parametrize(("first", "second"), [("complete", "fail"), ("fail", "complete")])
def test_another_outcome_is_refused(api, held, first, second):
    ended = data(api.post(f"/tasks/{first}", task_id=held["id"], agent_id="a"))["task"]

    response = api.post(f"/tasks/{second}", task_id=held["id"], agent_id="a")

    assert refusal(response) == (409, "conflict")
    assert Task.objects.get().status == ended["status"]


@pytest.mark.parametrize("verb", ["complete", "fail"])
@pytest.mark.parametrize("task_id", [UNKNOWN, "nonsense"])
def test_an_unknown_task_is_not_ended(api, verb, task_id):
    response = api.post(f"/tasks/{verb}", task_id=task_id, agent_id="a")

    assert refusal(response) == (404, "not_found")
    assert not Agent.objects.exists()


@pytest.mark.parametrize("verb", ["complete", "fail"])
def test_a_task_needs_an_id_to_be_ended(api, verb):
    response = api.post(f"/tasks/{verb}", agent_id="a")

    assert refusal(response) == (400, "invalid_request")
    assert message(response) == "task_id_required"


@pytest.mark.parametrize("verb", ["complete", "fail"])
@pytest.mark.parametrize("known", [True, False])
def test_only_the_holder_ends_a_task(api, held, verb, known):
    if known:
        api.beat("stranger")
    response = api.post(f"/tasks/{verb}", task_id=held["id"], agent_id="stranger")

    assert refusal(response) == (409, "conflict")
    assert api.fresh(held) == held
    assert Agent.objects.filter(pk="stranger").exists() == known


@pytest.mark.parametrize("verb", ["complete", "fail"])
@pytest.mark.parametrize("agent", [{}, {"agent_id": "a"}])
def test_a_queued_task_is_not_ended(api, channel, verb, agent):
    task = api.task(channel)

    assert refusal(api.post(f"/tasks/{verb}", task_id=task["id"], **agent)) == (409, "conflict")
    assert api.fresh(task) == task


@pytest.mark.parametrize("verb", ["complete", "fail"])
def test_a_stale_epoch_is_refused(api, channel, held, verb):
    api.fail(held, agent_id="a", retriable=True)
    again = api.claim("a", channel)

    for epoch in (1, 3):
        wrong = {"complete": epoch, "fail": 3}[verb]
        response = api.post(f"/tasks/{verb}", task_id=held["id"], agent_id="a", lease_epoch=wrong)
        assert refusal(response) == (409, "lease_lost")
    assert api.fresh(held)["status"] == again["status"] == "in_progress"


def test_a_fail_of_a_past_epoch_again_is_known(api, channel, held):
    api.fail(held, agent_id="a", retriable=True, lease_epoch=1)
    api.claim("a", channel)

    again = api.fail(held, agent_id="a", retriable=True, lease_epoch=1)

    assert data(again)["task"]["status"] == "in_progress"
    assert data(again)["task"]["attempts"] == 1


def test_a_locked_task_is_not_ended(api, channel):
    chain = api.chain(channel)
    api.task(channel, chain_id=chain["id"])
    held = api.claim("a", channel)
    api.detach(chain["id"], "a")

    assert refusal(api.complete(held, agent_id="a")) == (409, "conflict")
    assert refusal(api.fail(held)) == (409, "conflict")
    assert api.fresh(held)["status"] == "locked"


def test_each_outcome_of_a_report_is_answered_on_its_own(api, channel):
    for _ in range(4):
        api.task(channel)
    one, two, three, foreign = (api.claim(agent, channel) for agent in ("a", "a", "a", "b"))
    api.complete(three, agent_id="a")

    response = report(
        api,
        done(one, result=1, lease_epoch=1),
        failed(two, reason="broke"),
        done(three),
        done(foreign),
        done({"id": UNKNOWN}),
    )

    answers = data(response)["outcomes"]
    assert [(a["task_id"], a["answer"], a.get("error", {}).get("code")) for a in answers] == [
        (one["id"], "accepted", None),
        (two["id"], "accepted", None),
        (three["id"], "already", None),
        (foreign["id"], "lost", "conflict"),
        (UNKNOWN, "lost", "not_found"),
    ]
    assert all(a["error"]["message"] for a in answers[3:])
    assert "tasks" not in data(response)
    assert [api.fresh(task)["status"] for task in (one, two, foreign)] == [
        "done",
        "failed",
        "in_progress",
    ]
    assert api.fresh(two)["fail_reason"] == "broke"


def test_a_stale_outcome_is_lost_with_its_reason(api, channel, held):
    (answer,) = data(report(api, done(held, lease_epoch=7)))["outcomes"]

    assert (answer["answer"], answer["error"]["code"]) == ("lost", "lease_lost")
    assert api.fresh(held)["status"] == "in_progress"


def test_a_report_claims_the_next_tasks_too(api, channel):
    made = [api.task(channel) for _ in range(4)]
    held = api.claim("a", channel)

    claim = {"channel": "work", "max_tasks": 2, "lease_seconds": 60}
    body = data(report(api, done(held), claim=claim))

    assert [answer["answer"] for answer in body["outcomes"]] == ["accepted"]
    assert [task["id"] for task in body["tasks"]] == [task["id"] for task in made[1:3]]
    assert all(task["lease_epoch"] == 1 and task["lease_expires_at"] for task in body["tasks"])
    single = data(report(api, done(body["tasks"][0]), claim={"channel_id": channel["id"]}))
    assert [task["id"] for task in single["tasks"]] == [made[3]["id"]]


def test_a_claim_in_a_report_may_come_to_nothing(api, channel, held):
    body = data(report(api, done(held), claim={"channels": ["work", "unknown"]}))

    assert body["outcomes"][0]["answer"] == "accepted"
    assert body["tasks"] == []


def test_a_lost_outcome_does_not_spoil_the_claim(api, channel):
    task = api.task(channel)

    body = data(report(api, done({"id": UNKNOWN}), claim={"channel": "work"}))

    assert body["outcomes"][0]["answer"] == "lost"
    assert body["tasks"][0]["id"] == task["id"]


def test_a_report_carries_a_chain_on(api, channel):
    chain = api.chain(channel)
    steps = [api.task(channel, chain_id=chain["id"]) for _ in range(3)]
    held = api.claim("a", channel)

    for step in steps[1:]:
        body = data(report(api, done(held), claim={"channel": "work"}))
        (held,) = body["tasks"]
        assert held["id"] == step["id"]
    assert data(report(api, done(held), claim={"channel": "work"}))["tasks"] == []
    assert api.fresh_chain(chain["id"])["status"] == "done"


def test_a_report_repeated_with_its_key_gets_the_same_tasks(api, channel, held):
    api.task(channel)
    claim = {"channel": "work", "idempotency_key": "k"}
    first = data(report(api, done(held), claim=claim))

    again = data(report(api, done(held), claim=claim))

    assert again["outcomes"][0]["answer"] == "already"
    assert again["tasks"] == first["tasks"]


def test_a_report_without_outcomes_is_a_claim(api, channel):
    task = api.task(channel)

    body = data(report(api, claim={"channel": "work"}))

    assert body["outcomes"] == []
    assert body["tasks"][0]["id"] == task["id"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "agent_id_required"),
        ({"agent_id": "a"}, "outcomes_or_claim_required"),
        ({"agent_id": "a", "outcomes": {}}, "outcomes"),
        ({"agent_id": "a", "outcomes": [{}] * 101}, "outcomes"),
        ({"agent_id": "a", "claim": {}}, "claim.channel_id_or_channel_required"),
        ({"agent_id": "a", "claim": {"channel": "c", "max_tasks": 99}}, "claim.max_tasks"),
    ],
)
def test_an_invalid_report_changes_nothing(api, channel, body, says):
    task = api.task(channel)

    response = api.post("/tasks/report", **body)

    assert refusal(response)[0] == 400
    assert says in message(response)
    assert api.fresh(task) == task
    assert not Agent.objects.exists()
