"""Pausing channels, draining agents, and why a task does not run, over /v1."""

from urllib.parse import quote

import pytest

from tests.api_v1.calls import UNKNOWN, data, refusal

pytestmark = pytest.mark.django_db


def test_a_paused_channel_is_listed_with_the_reason_and_gives_nothing(api):
    channel = api.channel()
    task = api.task(channel)

    paused = data(api.post(f"/channels/{channel['id']}/pause", reason="a migration"))["channel"]

    assert paused["pause_reason"] == "a migration"
    assert data(api.get("/channels"))["channels"] == [paused]
    assert refusal(api.post("/tasks/claim", agent_id="agent-1", channel="work"))[:2] == (
        404,
        "no_tasks",
    )

    resumed = data(api.post(f"/channels/{channel['id']}/resume"))["channel"]

    assert resumed == channel
    assert api.claim("agent-1", channel)["id"] == task["id"]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_unknown_channel_is_not_found(api, verb):
    assert api.post(f"/channels/{UNKNOWN}/{verb}").status_code == 404


@pytest.mark.parametrize("agent", ["agent-1", "host/agent 1/a"])
def test_a_draining_agent_learns_it_and_gets_nothing_until_it_is_resumed(api, agent):
    channel = api.channel()
    task = api.task(channel)
    api.beat(agent)

    drained = data(api.post(f"/agents/{quote(agent, safe='')}/drain", reason="an update"))

    assert drained["agent"]["draining"] is True
    assert api.beat(agent)["drain"] is True
    claimed = api.post("/tasks/claim", agent_id=agent, channel="work", max_tasks=1)
    assert data(claimed)["tasks"] == []

    resumed = data(api.post(f"/agents/{quote(agent, safe='')}/resume"))

    assert "draining" not in resumed["agent"]
    assert api.beat(agent)["drain"] is False
    assert api.claim(agent, channel)["id"] == task["id"]


@pytest.mark.parametrize("verb", ["drain", "resume"])
def test_an_unknown_agent_is_not_found(api, verb):
    assert api.post(f"/agents/nobody/{verb}").status_code == 404


def test_why_names_the_obstacle_and_the_remedy(api):
    channel = api.channel()
    task = api.task(channel)
    api.post(f"/channels/{channel['id']}/pause", reason="a migration")

    body = data(api.get(f"/tasks/{task['id']}/why"))

    assert (body["task_id"], body["status"]) == (task["id"], "queued")
    assert [answer["code"] for answer in body["why"]] == ["channel_paused", "no_agents", "in_queue"]
    first = body["why"][0]
    assert "a migration" in first["text"]
    assert first["remedy"] == "Resume the channel."
    assert first["do"] == {"kind": "channel", "id": channel["id"], "verb": "resume"}


def test_why_of_a_running_task_has_no_remedy_to_offer(api):
    channel = api.channel()
    task = api.task(channel)
    api.claim("agent-1", channel)

    (answer,) = data(api.get(f"/tasks/{task['id']}/why"))["why"]

    assert (answer["code"], answer["agent_id"]) == ("running", "agent-1")
    assert "remedy" not in answer
    assert "do" not in answer


def test_why_of_an_unknown_task_is_not_found(api):
    assert api.get(f"/tasks/{UNKNOWN}/why").status_code == 404
