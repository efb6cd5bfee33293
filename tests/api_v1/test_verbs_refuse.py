"""What a verb refuses: a status that there is not, a lost agent, and force that is not said."""

import pytest

from tests.api_v1.calls import Api, data, message, refusal

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("dancing", (400, "invalid_request")),
        ("Done", (400, "invalid_request")),
        ("failed", (409, "conflict")),
        ("in_progress", (409, "conflict")),
    ],
)
def test_an_unknown_status_of_a_task_is_400_and_one_that_cannot_be_set_409(client, status, answer):
    api = Api(client)
    task = api.task(api.channel())

    assert refusal(api.status(task, status)) == answer
    assert api.fresh(task)["status"] == "queued"


def test_an_unknown_status_in_a_body_is_400_everywhere(client):
    api = Api(client)
    channel = api.channel()
    chain = api.chain(channel)
    answers = [
        api.post("/tasks", channel_id=channel["id"], title="t", status="dancing"),
        api.post("/chains", channel_id=channel["id"], name="c", status="dancing"),
        api.put(f"/chains/{chain['id']}", status="dancing"),
        api.post("/agents/heartbeat", agent_id="a", status="dancing"),
    ]

    for response in answers:
        assert refusal(response) == (400, "invalid_request")
        assert "status" in message(response)


def test_an_assignment_to_a_lost_agent_is_409_with_its_code(client, settings):
    api = Api(client)
    channel = api.channel()
    api.beat("a", meta={"subscriptions": ["work"]})
    task, chain = api.task(channel), api.chain(channel)
    settings.AGENT_LOST_AFTER *= 0

    assert refusal(api.assign(task, "a")) == (409, "agent_lost")
    refused = api.post(f"/chains/{chain['id']}/assign-agent", agent_id="a")
    assert refusal(refused) == (409, "agent_lost")
    assert api.fresh(task)["status"] == "queued"


def test_a_cancel_that_is_sent_again_does_not_force(client):
    api = Api(client)
    channel = api.channel()
    api.task(channel)
    held = api.claim("a", channel)
    path = f"/tasks/{held['id']}/cancel"

    first, again = data(api.post(path))["task"], data(api.post(path, force=False))["task"]

    assert first == again
    assert (again["status"], "cancel_asked_at" in again) == ("in_progress", True)
    assert data(api.post(path, force=True))["task"]["status"] == "cancelled"
    assert data(api.post(path, force=True))["task"]["status"] == "cancelled"
