"""Channels and chains (contract 1.3), without the agents' verbs on chains."""

import pytest

from chains.models import Chain
from tasks.models import Channel, Task
from tests.api_v1.calls import UNKNOWN, data, message, refusal

pytestmark = pytest.mark.django_db

CHANNEL = {"id", "name", "created_at"}
CHAIN = {"id", "channel_id", "name", "status", "on_failure", "created_at", "updated_at"}


def test_a_channel_is_made_shown_and_listed(api):
    channel = data(api.post("/channels", name=" Work ", description="all of it"), 201)["channel"]

    assert channel.keys() == CHANNEL | {"description"}
    assert (channel["name"], channel["description"]) == ("Work", "all of it")
    assert data(api.get("/channels")) == {"channels": [channel]}
    assert data(api.get("/channels/by-name/Work")) == {"channel": channel}


def test_a_channel_without_description_has_none(api):
    assert api.channel().keys() == CHANNEL


def test_a_channel_needs_a_name(api):
    response = api.post("/channels", name=" ")

    assert refusal(response) == (400, "invalid_request")
    assert message(response) == "name_required"


def test_names_of_channels_differ_by_more_than_case(api):
    api.channel("Work")

    assert refusal(api.post("/channels", name="wORK")) == (409, "conflict")
    assert Channel.objects.count() == 1


@pytest.mark.parametrize("name", ["a%2Fb%20c", "A%2FB%20C", "%20a%2Fb c"])
def test_a_channel_is_found_by_its_name_without_regard_to_case(api, name):
    channel = api.channel("a/b c")

    assert data(api.get(f"/channels/by-name/{name}"))["channel"] == channel
    assert refusal(api.get("/channels/by-name/a/b")) == (404, "not_found")


def test_a_chain_is_made_shown_and_listed(api):
    channel = api.channel()

    chain = api.chain(channel, " first ", description="steps", status="queued")

    assert chain.keys() == CHAIN | {"description"}
    assert {k: chain[k] for k in ("channel_id", "name", "description", "status", "on_failure")} == {
        "channel_id": channel["id"],
        "name": "first",
        "description": "steps",
        "status": "queued",
        "on_failure": "continue",
    }
    assert data(api.get("/chains")) == {"chains": [chain]}
    assert data(api.get(f"/chains/{chain['id']}")) == {"chain": chain}


def test_names_of_chains_may_repeat(api):
    channel = api.channel()

    assert api.chain(channel, "same")["id"] != api.chain(channel, "same")["id"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"name": "x"}, "channel_id_required"),
        ({"channel_id": "CHANNEL"}, "name_required"),
        ({"channel_id": "CHANNEL", "name": "x", "status": "banana"}, "status"),
        ({"channel_id": "CHANNEL", "name": "x", "status": "done"}, "status"),
        ({"channel_id": "CHANNEL", "name": "x", "on_failure": "weep"}, "on_failure"),
    ],
)
def test_an_invalid_chain_is_not_made(api, body, says):
    channel = api.channel()
    if "channel_id" in body:
        body = body | {"channel_id": channel["id"]}

    response = api.post("/chains", **body)

    assert refusal(response) == (400, "invalid_request")
    assert says in message(response)
    assert not Chain.objects.exists()


@pytest.mark.parametrize("channel_id", [UNKNOWN, "nonsense"])
def test_a_chain_in_an_unknown_channel_is_not_made(api, channel_id):
    response = api.post("/chains", channel_id=channel_id, name="x")

    assert refusal(response) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("get", ""), ("put", ""), ("delete", ""), ("post", "/detach")]
)
@pytest.mark.parametrize("chain_id", [UNKNOWN, "nonsense"])
def test_nothing_is_done_to_an_unknown_chain(api, method, path, chain_id):
    response = api.send(method, f"/chains/{chain_id}{path}", {"agent_id": "a"})

    assert refusal(response) == (404, "not_found")


def test_put_changes_the_named_fields_only(api):
    chain = api.chain(api.channel(), "old", description="kept")

    changed = data(api.put(f"/chains/{chain['id']}", name="new", description=""))["chain"]

    assert (changed["name"], changed["description"]) == ("new", "kept")
    assert data(api.put(f"/chains/{chain['id']}", on_failure="stop"))["chain"]["name"] == "new"
    assert api.fresh_chain(chain["id"])["on_failure"] == "stop"


def test_put_of_the_present_status_is_accepted(api):
    chain = api.chain(api.channel())

    assert data(api.put(f"/chains/{chain['id']}", status="queued", name="new"))


def test_put_of_another_status_is_refused(api):
    chain = api.chain(api.channel())

    assert refusal(api.put(f"/chains/{chain['id']}", status="done", name="new"))[0] == 409
    assert refusal(api.put(f"/chains/{chain['id']}", status="banana", name="new"))[0] == 400
    assert api.fresh_chain(chain["id"]) == chain


def test_put_keeps_the_owner(api):
    channel = api.channel()
    chain = api.chain(channel)
    api.task(channel, chain_id=chain["id"])
    api.claim("a", channel)

    changed = data(api.put(f"/chains/{chain['id']}", name="new"))["chain"]

    assert (changed["name"], changed["owner_agent_id"]) == ("new", "a")


def test_deleting_a_chain_deletes_its_tasks(api):
    channel = api.channel()
    chain = api.chain(channel)
    api.task(channel, chain_id=chain["id"])
    kept = api.task(channel)

    response = api.delete(f"/chains/{chain['id']}")

    assert (response.status_code, response.content) == (204, b"")
    assert refusal(api.get(f"/chains/{chain['id']}")) == (404, "not_found")
    assert [task["id"] for task in data(api.get("/tasks"))["tasks"]] == [kept["id"]]


def test_a_chain_is_not_deleted_while_a_task_is_in_progress_or_locked(api):
    channel = api.channel()
    chain = api.chain(channel)
    task = api.task(channel, chain_id=chain["id"])
    api.claim("a", channel)

    assert refusal(api.delete(f"/chains/{chain['id']}")) == (409, "conflict")
    api.detach(chain["id"], "a")
    assert refusal(api.delete(f"/chains/{chain['id']}")) == (409, "conflict")
    assert data(api.status(task, "done"))
    assert api.delete(f"/chains/{chain['id']}").status_code == 204
    assert not Task.objects.exists()


def test_deleting_a_chain_frees_its_owner(api):
    channel = api.channel()
    chain = api.chain(channel)
    api.task(channel, chain_id=chain["id"])
    api.complete(api.claim("a", channel), agent_id="a")

    assert api.delete(f"/chains/{chain['id']}").status_code == 204

    assert refusal(api.get("/agents/a/chain")) == (404, "no_chain")
    assert refusal(api.get("/agents/a/current-task")) == (404, "no_current_task")
