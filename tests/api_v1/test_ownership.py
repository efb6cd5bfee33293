"""Who owns a chain: assign-agent and detach (contract 1.3, 3.2, 3.3)."""

import pytest

from tests.api_v1.calls import UNKNOWN, data, message, refusal
from tests.factories import make_agent, silence

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(api):
    return api.channel()


@pytest.fixture
def step(api, channel):
    """A task of a chain that agent `a` owns."""
    api.task(channel, chain_id=api.chain(channel)["id"])
    return api.claim("a", channel)


def assign_agent(api, chain_id, agent_id):
    return api.post(f"/chains/{chain_id}/assign-agent", agent_id=agent_id)


def test_an_agent_is_assigned_to_a_chain_and_alone_claims_from_it(api, channel):
    chain = api.chain(channel)
    task = api.task(channel, chain_id=chain["id"])
    make_agent("a", subscriptions=("work",))

    given = data(assign_agent(api, chain["id"], "a"))["chain"]

    assert (given["owner_agent_id"], given["status"]) == ("a", "in_progress")
    assert refusal(api.post("/tasks/claim", agent_id="b", channel="work")) == (404, "no_tasks")
    assert api.claim("a", channel)["id"] == task["id"]


def test_a_chain_is_not_given_to_an_agent_that_may_not_have_it(api, channel, step):
    chain, other = api.chain(channel), api.chain(channel)
    api.task(channel, chain_id=chain["id"])
    subscribed = {"subscriptions": ("Work",)}
    make_agent("drains", draining=True, **subscribed)
    silence(make_agent("lost", **subscribed))
    make_agent("b", **subscribed)
    api.beat("a", meta={"subscriptions": ["work"]})

    assert refusal(assign_agent(api, chain["id"], "drains"))[0] == 409
    assert refusal(assign_agent(api, chain["id"], "lost"))[0] == 409
    assert refusal(assign_agent(api, chain["id"], "a"))[0] == 409  # bound to another chain
    assert refusal(assign_agent(api, step["chain_id"], "b"))[0] == 409  # a task of it runs
    assert refusal(assign_agent(api, chain["id"], "nobody")) == (404, "not_found")
    assert refusal(assign_agent(api, UNKNOWN, "b")) == (404, "not_found")
    assert message(api.post(f"/chains/{chain['id']}/assign-agent")) == "agent_id_required"
    assert "owner_agent_id" not in api.fresh_chain(chain["id"])
    assert data(assign_agent(api, other["id"], "b"))["chain"]["owner_agent_id"] == "b"


def test_only_the_owner_detaches(api, channel, step):
    free = api.chain(channel)

    assert refusal(api.detach(step["chain_id"], "b")) == (409, "not_owner")
    assert refusal(api.detach(free["id"], "b")) == (409, "not_owner")
    assert message(api.post(f"/chains/{free['id']}/detach")) == "agent_id_required"
    assert data(api.detach(step["chain_id"], "a")) == {"ok": True}
    assert api.fresh_chain(step["chain_id"])["status"] == "locked"
    assert refusal(api.get("/agents/a/current-task")) == (404, "no_current_task")


def test_an_agent_that_is_not_subscribed_to_the_channel_is_refused(api, channel):
    chain = api.chain(channel)
    api.beat("a", meta={"subscriptions": ["elsewhere"]})

    response = assign_agent(api, chain["id"], "a")

    assert refusal(response) == (409, "agent_not_subscribed_channel")
    assert "owner_agent_id" not in api.fresh_chain(chain["id"])


@pytest.mark.parametrize("subscriptions", [["WORK"], "work", ["else", "Work"]])
def test_an_agent_that_is_subscribed_is_taken(api, channel, subscriptions):
    chain = api.chain(channel)
    api.beat("a", meta={"subscriptions": subscriptions})

    for _ in range(2):
        given = data(assign_agent(api, chain["id"], "a"))["chain"]
        assert given["owner_agent_id"] == "a"


def test_an_agent_never_has_two_chains(api, channel):
    first, second = api.chain(channel), api.chain(channel)
    make_agent("a", subscriptions=("work",))
    assign_agent(api, first["id"], "a")

    data(assign_agent(api, second["id"], "a"))

    assert "owner_agent_id" not in api.fresh_chain(first["id"])
    assert data(api.get("/agents/a/chain"))["chain"]["id"] == second["id"]


def test_a_new_task_of_an_owned_chain_is_for_its_owner(api, channel, step):
    api.complete(step, agent_id="a")
    assert api.fresh_chain(step["chain_id"])["owner_agent_id"] == "a"

    task = api.task(channel, chain_id=step["chain_id"])

    assert task["reserved_for"] == "a"
    assert refusal(api.post("/tasks/claim", agent_id="b", channel="work")) == (404, "no_tasks")
    assert api.claim("a", channel)["id"] == task["id"]
