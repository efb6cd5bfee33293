"""Wants, offers, refusals and retries over /v1."""

import pytest

from agents.models import Agent
from tests.api_v1.calls import data, message, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(api):
    return api.channel()


@pytest.fixture
def picky(api, channel):
    """A task that wants a graphics card."""
    return api.task(channel, wants={"gpu": "a100"})


def claimed(api, agent_id, channel):
    body = data(api.post("/tasks/claim", agent_id=agent_id, channel=channel["name"], max_tasks=5))
    return [task["id"] for task in body["tasks"]]


def shown(api, task):
    return data(api.get(f"/tasks/{task['id']}"))["task"]


def test_a_task_is_for_agents_that_offer_what_it_wants(api, channel, picky):
    api.beat("slow", capabilities={"gpu": ["t4"]})
    api.beat("fast", capabilities={"gpu": ["t4", "a100"], "region": ["eu"]})

    assert claimed(api, "slow", channel) == []
    assert claimed(api, "fast", channel) == [picky["id"]]


def test_an_agent_without_offers_may_have_it(api, channel, picky):
    api.beat("silent", capabilities={"region": ["eu"], "gpu": []})

    assert claimed(api, "silent", channel) == [picky["id"]]


def test_what_a_task_requires_an_agent_must_name(api, channel):
    task = api.task(channel, requires={"gpu": "a100"})
    api.beat("silent")
    api.beat("fast", capabilities={"gpu": ["a100"]})

    assert shown(api, task)["requires"] == {"gpu": "a100"}
    assert claimed(api, "silent", channel) == []
    assert claimed(api, "fast", channel) == [task["id"]]


def test_offers_are_stored_and_shown(api):
    api.beat("a", capabilities={"gpu": ["t4"]}, capacity=2)
    api.beat("a", name="again")

    agent = data(api.get("/agents/a"))["agent"]
    assert (agent["capabilities"], agent["capacity"]) == ({"gpu": ["t4"]}, 2)


def test_an_agent_holds_no_more_than_its_capacity(api, channel):
    for _ in range(3):
        api.task(channel)
    api.beat("a", capacity=2)

    assert len(claimed(api, "a", channel)) == 2
    assert claimed(api, "a", channel) == []


def test_an_unserved_task_says_so(api, picky):
    api.beat("slow", capabilities={"gpu": ["t4"]})
    assert shown(api, picky)["unserved"] is True
    assert shown(api, picky)["wants"] == {"gpu": "a100"}

    api.beat("fast", capabilities={"gpu": ["a100"]})
    assert "unserved" not in shown(api, picky)

    Agent.objects.filter(pk="fast").update(draining=True)
    assert shown(api, picky)["unserved"] is True


@pytest.mark.parametrize("name", ["wants", "requires"])
def test_a_task_of_a_chain_wants_nothing(api, channel, name):
    refused = api.post(
        "/tasks",
        title="t",
        channel_id=channel["id"],
        chain_id=api.chain(channel)["id"],
        **{name: {"gpu": "a100"}},
    )

    assert refusal(refused) == (400, "invalid_request")
    assert message(refused).startswith(f"{name} must be empty")


def test_an_agent_that_cannot_do_a_task_leaves_it_to_others(api, channel, picky):
    assert claimed(api, "a", channel) == [picky["id"]]

    refused = data(api.post("/tasks/fail", task_id=picky["id"], agent_id="a", unsupported=True))

    assert refused["task"]["status"] == "queued"
    assert claimed(api, "a", channel) == []
    assert shown(api, picky)["refused_by"] == ["a"]
    assert [bad["outcome"] for bad in shown(api, picky)["bad_attempts"]] == ["refused"]
    assert claimed(api, "b", channel) == [picky["id"]]


def test_only_the_holder_refuses_a_task(api, channel, picky):
    claimed(api, "a", channel)

    refused = api.post("/tasks/fail", task_id=picky["id"], agent_id="b", unsupported=True)

    assert refusal(refused) == (409, "conflict")
    assert shown(api, picky)["assigned_agent_id"] == "a"


def test_a_retry_waits_as_long_as_the_task_says(api, channel):
    task = api.task(channel, retry_delay_seconds=30)
    claimed(api, "a", channel)

    again = data(api.post("/tasks/fail", task_id=task["id"], agent_id="a", retriable=True))["task"]

    assert (again["status"], again["attempts"]) == ("queued", 1)
    assert again["available_at"] > again["updated_at"]
    assert claimed(api, "a", channel) == []


def test_a_task_that_failed_for_good_says_why(api, channel):
    task = api.task(channel, max_attempts=1)
    claimed(api, "a", channel)

    failed = data(api.post("/tasks/fail", task_id=task["id"], agent_id="a", retriable=True))["task"]

    assert (failed["status"], failed["dead_letter"]) == ("failed", "exhausted")


def test_a_refusal_requires_the_agent_id(api, picky):
    refused = api.post("/tasks/fail", task_id=picky["id"], unsupported=True)

    assert refusal(refused) == (400, "invalid_request")
    assert message(refused) == "agent_id_required"


def test_a_limit_is_taken_back_by_zero(api, channel):
    for _ in range(3):
        api.task(channel)
    api.beat("a", capacity=1)
    api.beat("a", capacity=0)

    assert len(claimed(api, "a", channel)) == 3
