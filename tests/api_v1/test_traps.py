"""Odd behaviour of real agents that a server must cope with (contract 4.4 and 6.4)."""

import pytest

from agents.models import Agent
from chains.models import Chain
from tasks.models import Task
from tests.api_v1.calls import UNKNOWN, data, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(api):
    return api.channel()


def current(api, agent_id="a"):
    return data(api.get(f"/agents/{agent_id}/current-task"))["task"]


def hook_completes(api, agent_id="a"):
    """The requests of a client's hook at the end of a session: contract 4.2, `hook completed`."""
    api.beat(agent_id, current_task_id="")
    hook = {"agent_id": agent_id, "type": "claude.hook", "payload": {"event": "completed"}}
    data(api.post("/events", **hook), 201)
    task = current(api, agent_id)
    key = f"hook:{task['id']}:1"
    answer = api.complete(task, agent_id=agent_id, idempotency_key=key)
    done = {"agent_id": agent_id, "type": "task.completed", "payload": {"task_id": task["id"]}}
    data(api.post("/events", **done, idempotency_key=f"task.completed:{task['id']}"), 201)
    api.beat(agent_id, current_task_id="")
    return data(answer)["task"]


def test_a_hook_completes_a_task_claimed_before_the_first_heartbeat(api, channel):
    api.task(channel)

    claimed = api.claim("a", channel)

    assert data(api.get("/agents"))["agents"][0]["worker_status"] == "online"
    assert hook_completes(api)["id"] == claimed["id"]
    assert api.fresh(claimed)["status"] == "done"


def test_a_hook_completes_a_task_claimed_after_the_first_heartbeat(api, channel):
    api.task(channel)

    api.beat("a")
    claimed = api.claim("a", channel)

    assert hook_completes(api)["id"] == claimed["id"]


def test_a_hook_completes_a_task_assigned_to_an_unknown_agent(api, channel):
    task = api.task(channel)

    data(api.assign(task, "a"))

    assert hook_completes(api)["id"] == task["id"]


def test_a_heartbeat_with_an_empty_current_task_clears_nothing(api, channel):
    api.task(channel)
    claimed = api.claim("a", channel)

    assert api.beat("a", current_task_id="")["agent"]["current_task_id"] == claimed["id"]
    assert current(api)["id"] == claimed["id"]


def test_a_heartbeat_with_a_finished_current_task_sets_nothing(api, channel):
    api.task(channel)
    claimed = api.claim("a", channel)
    api.complete(claimed, agent_id="a")

    assert "current_task_id" not in api.beat("a", current_task_id=claimed["id"])["agent"]
    assert refusal(api.get("/agents/a/current-task")) == (404, "no_current_task")


@pytest.mark.parametrize("reported", [UNKNOWN, "nonsense"])
def test_a_heartbeat_with_an_unknown_current_task_sets_nothing(api, channel, reported):
    api.task(channel)
    claimed = api.claim("a", channel)

    agent = api.beat("a", current_task_id=reported)["agent"]

    assert agent["current_task_id"] == claimed["id"]


def test_a_heartbeat_with_the_task_of_another_sets_nothing(api, channel):
    api.task(channel)
    claimed = api.claim("a", channel)

    assert "current_task_id" not in api.beat("b", current_task_id=claimed["id"])["agent"]


def test_channels_set_by_an_operator_survive_the_agents_own_old_list(api):
    api.beat("a", meta={"subscriptions": ["old"]})
    data(api.patch("/agents/a/channels", subscriptions=["new"]))

    for _ in range(2):
        beaten = api.beat("a", meta={"subscriptions": ["old"], "pid": 7})["agent"]
        assert beaten["meta"] == {"subscriptions": ["new"], "pid": 7}
    assert api.agent("a")["meta"]["subscriptions"] == ["new"]


def test_channels_set_by_an_operator_are_the_agents_again_once_it_reports_them(api):
    api.beat("a", meta={"subscriptions": ["old"]})
    data(api.patch("/agents/a/channels", subscriptions=["new"]))
    api.beat("a", meta={"subscriptions": ["new"]})

    beaten = api.beat("a", meta={"subscriptions": ["own"]})["agent"]

    assert beaten["meta"]["subscriptions"] == ["own"]


@pytest.mark.parametrize("meta", [{}, {"subscriptions": []}, {"subscriptions": None}])
@pytest.mark.parametrize("by_operator", [True, False])
def test_an_empty_list_never_wipes_channels(api, channel, meta, by_operator):
    chain = api.chain(channel)
    api.beat("a", meta={"subscriptions": ["work"]})
    if by_operator:
        api.patch("/agents/a/channels", subscriptions=["work"])

    beaten = api.beat("a", meta=meta)["agent"]

    assert beaten["meta"] == {"subscriptions": ["work"]}
    assert data(api.post(f"/chains/{chain['id']}/assign-agent", agent_id="a"))


@pytest.mark.parametrize("in_chain", [True, False])
def test_complete_is_retried_after_the_next_claim(api, channel, in_chain):
    where = {"chain_id": api.chain(channel)["id"]} if in_chain else {}
    api.task(channel, **where)
    api.task(channel, **where)
    first = api.claim("a", channel)
    done = data(api.complete(first, agent_id="a"))
    second = api.claim("a", channel)

    again = data(api.complete(first, agent_id="a"))

    assert again == done
    assert current(api)["id"] == second["id"]


def test_completing_an_older_task_leaves_the_current_one(api, channel):
    api.task(channel)
    api.task(channel)
    first, second = api.claim("a", channel), api.claim("a", channel)

    api.complete(first, agent_id="a")

    assert current(api)["id"] == second["id"]


def test_events_of_unknown_tasks_and_agents_are_taken(api):
    event = {"agent_id": "a", "type": "task.injected", "task_id": "gone", "payload": {}}

    first = api.post("/events", **event, idempotency_key="task.injected:gone")
    again = api.post("/events", **event, idempotency_key="task.injected:gone")

    assert data(first, 201)["event"]["task_id"] == "gone"
    assert data(again) == {"deduped": True}


def test_an_unknown_channel_name_lets_the_agent_go_on_to_the_next(api, channel):
    task = api.task(channel)

    assert refusal(api.post("/tasks/claim", agent_id="a", channel="x")) == (404, "no_tasks")
    assert api.claim("a", channel, idempotency_key="")["id"] == task["id"]


def test_an_agent_goes_from_one_chainless_task_to_the_next(api, channel):
    made = [api.task(channel)["id"] for _ in range(3)]

    done = []
    for _ in made:
        task = api.claim("a", channel)
        data(api.complete(task, agent_id="a"))
        done.append(task["id"])

    assert done == made
    assert not Chain.objects.exists()


def test_an_agent_goes_from_a_finished_chain_to_the_next(api, channel):
    first, second = api.chain(channel), api.chain(channel)
    for chain in (first, second):
        api.task(channel, chain_id=chain["id"])

    for chain in (first, second):
        task = api.claim("a", channel)
        assert task["chain_id"] == chain["id"]
        data(api.complete(task, agent_id="a"))

    assert "owner_agent_id" not in api.fresh_chain(first["id"])
    assert api.fresh_chain(second["id"])["owner_agent_id"] == "a"


def test_a_chain_that_lost_its_owner_finds_another(api, channel):
    chain = api.chain(channel)
    api.task(channel, chain_id=chain["id"])
    second = api.task(channel, chain_id=chain["id"])
    api.complete(api.claim("a", channel), agent_id="a")
    data(api.detach(chain["id"], "a"))

    assert api.claim("b", channel)["id"] == second["id"]
    assert api.fresh_chain(chain["id"])["owner_agent_id"] == "b"


def test_a_task_that_could_not_be_made_leaves_nothing_behind(api, channel):
    assert refusal(api.post("/tasks", channel_id=channel["id"]))[0] == 400
    assert refusal(api.post("/tasks", channel_id=UNKNOWN, title="x"))[0] == 404
    assert refusal(api.post("/agents/request-session", channel_id="bad"))[0] == 404

    assert not Chain.objects.exists()
    assert not Task.objects.exists()


def test_any_caller_that_is_not_the_holder_is_refused_even_without_a_heartbeat(api, channel):
    api.task(channel)
    held = api.claim("a", channel)

    assert refusal(api.complete(held, agent_id="stranger")) == (409, "conflict")
    assert not Agent.objects.filter(pk="stranger").exists()


def test_a_finished_chain_comes_to_life_for_its_owner_when_a_task_is_added(api, channel):
    chain = api.chain(channel)
    api.task(channel, chain_id=chain["id"])
    api.complete(api.claim("a", channel), agent_id="a")
    assert api.fresh_chain(chain["id"])["status"] == "done"

    added = api.task(channel, chain_id=chain["id"])

    assert api.fresh_chain(chain["id"])["status"] == "in_progress"
    assert api.claim("a", channel)["id"] == added["id"]
