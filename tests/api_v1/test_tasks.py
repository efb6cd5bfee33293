"""Creating and reading tasks (contract 1.3, 3.4; cases 15 to 17)."""

import pytest

from chains.models import Chain
from tasks.models import Task
from tests.api_v1.calls import UNKNOWN, data, message, refusal

pytestmark = pytest.mark.django_db

ALWAYS = {
    "id",
    "channel_id",
    "title",
    "status",
    "priority",
    "lease_epoch",
    "max_attempts",
    "created_at",
    "updated_at",
}


def test_a_task_shows_its_fields_and_leaves_out_empty_ones(api):
    channel = api.channel()

    task = api.task(channel, " count ")

    assert task.keys() == ALWAYS
    assert {k: task[k] for k in ("channel_id", "title", "status", "priority", "lease_epoch")} == {
        "channel_id": channel["id"],
        "title": "count",
        "status": "queued",
        "priority": 0,
        "lease_epoch": 0,
    }
    assert data(api.get(f"/tasks/{task['id']}")) == {"task": task}
    assert data(api.get("/tasks")) == {"tasks": [task]}


def test_every_field_of_a_task_is_kept_and_shown(api):
    channel = api.channel()
    given = {
        "description": "all of them",
        "payload": {"path": "a", "sizes": [1, 2.5, None, "ü"]},
        "priority": -3,
        "execution_mode": "plan-mode",
        "max_attempts": 7,
        "idempotency_key": "k",
    }

    task = api.task(channel, status="queued", **given)

    assert task.keys() == ALWAYS | given.keys()
    assert {k: task[k] for k in given} == given
    shown = api.claim("a", channel)
    assert {k: shown[k] for k in given if k != "idempotency_key"} == {
        k: v for k, v in given.items() if k != "idempotency_key"
    }


def test_a_channel_may_be_named_instead(api):
    channel = api.channel("Work")

    body = data(api.post("/tasks", channel="wORK", title="x"), 201)

    assert body["task"]["channel_id"] == channel["id"]


def test_a_type_cannot_be_given(api):
    task = api.task(api.channel(), type="request_claude_session", session_token="asr_1")

    assert "type" not in task
    assert "agent_session_request_token" not in task


def test_a_task_without_a_chain_gets_none(api):
    task = api.task(api.channel(), sequence=5)

    assert "chain_id" not in task
    assert "sequence" not in task
    assert not Chain.objects.exists()


def test_a_task_gets_the_requested_chain_and_sequence(api):
    channel = api.channel()
    chain = api.chain(channel)

    task = api.task(channel, chain_id=chain["id"], sequence=5)

    assert (task["chain_id"], task["sequence"]) == (chain["id"], 5)


@pytest.mark.parametrize("asked", [{}, {"sequence": 0}, {"sequence": -4}, {"sequence": None}])
def test_the_default_sequence_is_the_next(api, asked):
    channel = api.channel()
    chain = api.chain(channel)
    api.task(channel, chain_id=chain["id"], sequence=5)

    assert api.task(channel, chain_id=chain["id"], **asked)["sequence"] == 6


def test_a_task_behind_another_of_its_chain_is_blocked(api):
    channel = api.channel()
    chain = api.chain(channel)

    first = api.task(channel, chain_id=chain["id"])
    second = api.task(channel, chain_id=chain["id"])

    assert first.keys() == ALWAYS | {"chain_id", "sequence"}
    assert second["blocked"] is True


@pytest.mark.parametrize("chain_id", [UNKNOWN, "nonsense"])
def test_a_task_of_an_unknown_chain_is_not_made(api, chain_id):
    channel = api.channel()

    response = api.post("/tasks", channel_id=channel["id"], title="x", chain_id=chain_id)

    assert refusal(response) == (400, "invalid_request")
    assert "chain_id_not_found" in message(response)
    assert not Task.objects.exists()


def test_a_task_is_in_the_channel_of_its_chain(api):
    chain = api.chain(api.channel("one"))
    other = api.channel("two")

    response = api.post("/tasks", channel_id=other["id"], title="x", chain_id=chain["id"])

    assert refusal(response) == (400, "invalid_request")
    assert "channel" in message(response)
    assert not Task.objects.exists()


def test_a_taken_sequence_is_refused(api):
    channel = api.channel()
    chain = api.chain(channel)
    api.task(channel, chain_id=chain["id"], sequence=1)

    body = {"channel_id": channel["id"], "title": "x", "chain_id": chain["id"], "sequence": 1}
    response = api.post("/tasks", **body)

    assert refusal(response) == (400, "invalid_request")
    assert "sequence" in message(response)
    assert Task.objects.count() == 1


def test_there_is_always_a_next_sequence(api):
    channel = api.channel()
    chain = api.chain(channel)
    highest = {"channel_id": channel["id"], "title": "x", "chain_id": chain["id"]}

    refused = api.post("/tasks", **highest, sequence=2**31 - 1)
    api.task(channel, chain_id=chain["id"], sequence=10**9)

    assert refusal(refused) == (400, "invalid_request")
    assert "sequence" in message(refused)
    assert api.task(channel, chain_id=chain["id"])["sequence"] == 10**9 + 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"channel_id": ""}, "channel_id_required"),
        ({"title": " "}, "title_required"),
        ({"title": "x" * 2001}, "title"),
        ({"status": "banana"}, "status"),
        ({"status": "done"}, "status"),
        ({"execution_mode": "banana"}, "execution_mode"),
        ({"priority": 2**31}, "priority"),
        ({"sequence": 2**31}, "sequence"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"idempotency_key": "k" * 201}, "idempotency_key"),
        ({"description": "d" * 100_001}, "description"),
    ],
)
def test_an_invalid_task_is_not_made(api, wrong, says):
    channel = api.channel()

    response = api.post("/tasks", **{"channel_id": channel["id"], "title": "x"} | wrong)

    assert refusal(response) == (400, "invalid_request")
    assert says in message(response)
    assert not Task.objects.exists()


@pytest.mark.parametrize("where", [{"channel_id": UNKNOWN}, {"channel_id": "x"}, {"channel": "x"}])
def test_a_task_in_an_unknown_channel_is_not_made(api, where):
    response = api.post("/tasks", title="x", **where)

    assert refusal(response)[0] == 404
    assert refusal(response)[1] in {"not_found", "channel_not_found"}
    assert not Task.objects.exists()


def test_a_payload_has_its_limit(api):
    channel = api.channel()

    response = api.post("/tasks", channel_id=channel["id"], title="x", payload={"a": "b" * 2**18})

    assert refusal(response) == (413, "payload_too_large")
    assert "payload" in message(response)
    assert not Task.objects.exists()


@pytest.mark.parametrize("task_id", [UNKNOWN, "nonsense"])
def test_an_unknown_task_is_not_found(api, task_id):
    assert refusal(api.get(f"/tasks/{task_id}")) == (404, "not_found")
