"""Inputs that a person sends to a running task, each taken once."""

import pytest

from tasks.models import TaskInput
from tests.api_v1.calls import UNKNOWN, data, message, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(api):
    channel = api.channel()
    api.task(channel)
    return api.claim("a", channel)


def send(api, task, **more):
    return api.post("/tasks/inputs", **{"task_id": task["id"], "agent_id": "a"} | more)


def take(api, task, agent_id="a"):
    return api.post("/tasks/inputs/claim", task_id=task["id"], agent_id=agent_id)


def test_an_input_is_kept_as_it_was_typed(api, task):
    sent = data(send(api, task, text="  yes\n", send_enter=True), 201)["input"]

    assert sent.keys() == {
        "id", "task_id", "agent_id", "kind", "text", "send_enter", "created_at"
    }  # fmt: skip
    assert {k: sent[k] for k in ("task_id", "agent_id", "kind", "text", "send_enter")} == {
        "task_id": task["id"],
        "agent_id": "a",
        "kind": "text",
        "text": "  yes\n",
        "send_enter": True,
    }


def test_an_input_may_be_enter_alone_or_keys(api, task):
    enter = data(send(api, task, send_enter=True), 201)["input"]
    keys = data(send(api, task, kind="keys", text="Up\nC-c"), 201)["input"]

    assert "text" not in enter
    assert (keys["kind"], keys["text"], keys["send_enter"]) == ("keys", "Up\nC-c", False)


def test_inputs_are_taken_in_order_and_once(api, task):
    sent = [data(send(api, task, text=text), 201)["input"] for text in ("one", "two")]

    taken = [data(take(api, task))["input"] for _ in sent]

    assert [i["id"] for i in taken] == [i["id"] for i in sent]
    assert all(i["claimed_at"] for i in taken)
    assert refusal(take(api, task)) == (404, "no_inputs")


def test_an_input_is_taken_by_the_agent_it_was_sent_to(api, task):
    send(api, task, text="x")

    assert refusal(take(api, task, "b")) == (404, "no_inputs")
    assert refusal(take(api, {"id": UNKNOWN})) == (404, "no_inputs")
    assert data(take(api, task))


def test_an_input_sent_again_with_its_key_is_the_first(api, task):
    first = data(send(api, task, text="one", idempotency_key="k"), 201)

    again = send(api, task, text="two", idempotency_key="k")

    assert data(again, 201) == first
    assert first["input"]["idempotency_key"] == "k"
    assert TaskInput.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"task_id": ""}, "task_id_required"),
        ({"agent_id": ""}, "agent_id_required"),
        ({"text": " \n"}, "text_or_send_enter_required"),
        ({"text": "", "send_enter": False}, "text_or_send_enter_required"),
        ({"kind": "smoke"}, "kind"),
    ],
)
def test_an_invalid_input_is_not_kept(api, task, body, says):
    response = send(api, task, **{"text": "x"} | body)

    assert refusal(response) == (400, "invalid_request")
    assert says in message(response)
    assert not TaskInput.objects.exists()


def test_an_input_is_for_a_task_that_there_is(api):
    assert refusal(send(api, {"id": UNKNOWN}, text="x")) == (404, "not_found")
    assert refusal(send(api, {"id": "nonsense"}, text="x")) == (404, "not_found")


def test_taking_needs_task_and_agent(api, task):
    assert message(api.post("/tasks/inputs/claim", agent_id="a")) == "task_id_required"
    assert message(api.post("/tasks/inputs/claim", task_id=task["id"])) == "agent_id_required"
