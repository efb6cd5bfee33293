"""Heartbeats, agents, their current task and channels, notifications (contract 1.3, 3.8)."""

from datetime import timedelta
from uuid import UUID

import pytest

from agents.models import Agent
from tests.api_v1.calls import data, message, refusal
from tests.factories import fresh, make_agent, silence

pytestmark = pytest.mark.django_db

ALWAYS = {"id", "name", "status", "claude_status", "last_seen", "created_at", "updated_at"}


def test_health_asks_for_nothing(client):
    body = client.get("/health").json()

    assert body["ok"] is True
    assert body["time"].endswith("Z")


def test_a_heartbeat_registers_an_agent(api):
    body = api.beat("a-1", name=" Ada ", claude_status="running", meta={"cwd": "/src"})

    agent = body["agent"]
    assert agent.keys() == ALWAYS | {"meta"}
    assert {k: agent[k] for k in ("id", "name", "status", "claude_status", "meta")} == {
        "id": "a-1",
        "name": "Ada",
        "status": "running",
        "claude_status": "running",
        "meta": {"cwd": "/src"},
    }
    assert agent["last_seen"].endswith("Z")


def test_absent_data_of_an_agent_are_left_out(api):
    agent = api.beat("a-1")["agent"]

    assert agent.keys() == ALWAYS
    assert agent["claude_status"] == agent["status"] == "idle"


def test_an_agent_without_an_id_is_given_one(api):
    made = api.beat("")["agent"]["id"]

    assert str(UUID(made)) == made
    assert Agent.objects.get().pk == made


def test_the_older_name_of_the_status_counts_where_the_newer_is_silent(api):
    assert api.beat("a", status="waiting")["agent"]["claude_status"] == "waiting"
    both = api.beat("a", status="waiting", claude_status="idle")
    assert both["agent"]["claude_status"] == "idle"


def test_empty_fields_of_a_heartbeat_change_nothing(api):
    api.beat("a", name="Ada", claude_status="running", meta={"pid": 7})

    agent = api.beat("a", name="", claude_status="", current_task_id="")["agent"]

    assert (agent["name"], agent["claude_status"], agent["meta"]) == ("Ada", "running", {"pid": 7})


def test_a_heartbeat_replaces_the_whole_meta(api):
    api.beat("a", meta={"pid": 7, "cwd": "/old"})

    assert api.beat("a", meta={"cwd": "/new"})["agent"]["meta"] == {"cwd": "/new"}


def test_an_unknown_status_is_refused(api):
    response = api.post("/agents/heartbeat", agent_id="a", claude_status="dancing")

    assert refusal(response) == (400, "invalid_request")
    assert "claude_status" in message(response)
    assert not Agent.objects.exists()


@pytest.mark.parametrize("name", ["claude_status", "status"])
def test_an_agent_with_an_unknown_status_is_present_all_the_same(api, name):
    channel = api.channel()
    api.task(channel)
    held = api.claim("a", channel, lease_seconds=60)
    silence(Agent.objects.get(pk="a"))

    response = api.post("/agents/heartbeat", agent_id="a", tasks=[held["id"]], **{name: "dancing"})

    assert refusal(response) == (400, "invalid_request")
    assert Agent.objects.online().exists()
    assert api.fresh(held)["lease_expires_at"] > held["lease_expires_at"]


def test_names_of_fields_match_without_regard_to_case(api):
    assert data(api.post("/agents/heartbeat", Agent_ID="a", NAME="Ada"))["agent"]["name"] == "Ada"


def test_agents_are_listed_with_presence_and_the_last_seen_on_top(api):
    make_agent("quiet", seen_ago=timedelta(minutes=5))
    make_agent("here")

    agents = data(api.get("/agents"))["agents"]

    assert [(agent["id"], agent["worker_status"]) for agent in agents] == [
        ("here", "online"),
        ("quiet", "offline"),
    ]
    assert agents[0].keys() == ALWAYS | {"worker_status"}


def test_one_agent_is_shown_without_presence(api):
    api.beat("a")

    assert api.agent("a").keys() == ALWAYS


@pytest.mark.parametrize(
    "name", ["Ада/1 %?", "a/chain", "heartbeat", "request-session", "current-task", "%2F", "%25"]
)
def test_an_agents_id_may_be_any_string(api, name):
    api.beat(name)

    assert api.agent(name)["id"] == name


@pytest.mark.parametrize("path", ["", "/current-task", "/chain"])
def test_nothing_is_known_of_an_unknown_agent(api, path):
    assert refusal(api.get(f"/agents/nobody{path}")) == (404, "not_found")


def test_the_current_task_is_the_one_claimed(api):
    task = api.task(api.channel())
    api.beat("a")

    assert refusal(api.get("/agents/a/current-task")) == (404, "no_current_task")
    api.assign(task, "a")
    assert data(api.get("/agents/a/current-task"))["task"]["id"] == task["id"]
    assert api.agent("a")["current_task_id"] == task["id"]


def test_an_agents_chain_is_the_one_it_owns(api):
    channel = api.channel()
    chain = api.chain(channel)
    api.task(channel, chain_id=chain["id"])
    api.beat("a")

    assert refusal(api.get("/agents/a/chain")) == (404, "no_chain")
    api.claim("a", channel)
    owned = data(api.get("/agents/a/chain"))["chain"]
    assert (owned["id"], owned["owner_agent_id"]) == (chain["id"], "a")


def test_an_operator_sets_an_agents_channels(api):
    api.beat("a", meta={"cwd": "/src"})

    body = data(api.patch("/agents/a/channels", subscriptions=[" one", "two", "", "one"]))

    assert body["agent"]["meta"] == {"cwd": "/src", "subscriptions": ["one", "two"]}


def test_channels_are_set_of_known_agents_only(api):
    response = api.patch("/agents/nobody/channels", subscriptions=["one"])

    assert refusal(response) == (404, "not_found")
    assert not Agent.objects.exists()


def test_setting_the_channels_of_an_agent_does_not_make_it_online(api):
    agent = make_agent("a")
    silence(agent)
    before = fresh(agent).last_seen_at

    data(api.patch("/agents/a/channels", subscriptions=["one"]))

    assert fresh(agent).last_seen_at == before
    assert data(api.get("/agents"))["agents"][0]["worker_status"] == "offline"


def test_an_agent_that_waits_for_a_person_is_notified_until_it_no_longer_waits(api):
    api.beat("a", name="Ada", meta={"state": "setup_waiting", "subscriptions": ["one"]})

    (note,) = data(api.get("/notifications"))["notifications"]
    assert {k: note[k] for k in ("key", "agent_id", "agent_name", "type", "channel")} == {
        "key": "a:setup_waiting",
        "agent_id": "a",
        "agent_name": "Ada",
        "type": "setup_waiting",
        "channel": "one",
    }
    assert "Ada" in note["message"]
    api.beat("a", meta={})
    assert data(api.get("/notifications")) == {"notifications": []}


def test_a_dismissed_notification_stays_hidden_while_the_agent_waits(api):
    api.beat("a", meta={"state": "setup_waiting"})

    for _ in range(2):  # also when there is nothing to dismiss
        answer = api.post("/notifications/dismiss", agent_id="a", type="setup_waiting")
        assert data(answer) == {"ok": True}
    api.beat("a", meta={"state": "setup_waiting"})

    assert data(api.get("/notifications")) == {"notifications": []}
    api.beat("a", meta={})
    api.beat("a", meta={"state": "setup_waiting"})
    assert len(data(api.get("/notifications"))["notifications"]) == 1
