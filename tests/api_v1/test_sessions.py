"""Session requests, their token and the event that completes them (contract 1.3, 3.9)."""

import re

import pytest

from chains.models import Chain
from events.models import Event
from tasks.models import Task
from tests.api_v1.calls import UNKNOWN, data, message, refusal

pytestmark = pytest.mark.django_db

TOKEN = "agent_session_request_token"


@pytest.fixture
def channel(api):
    return api.channel()


@pytest.fixture
def request_(api, channel):
    """A session request that is still queued."""
    return api.session_request(channel)


def completion(api, payload, agent_id="a", **more):
    type_ = "agent.automation.session_request.completed"
    return api.post("/events", **{"agent_id": agent_id, "type": type_, "payload": payload} | more)


def posted():
    return Event.objects.filter(source="agent")


@pytest.mark.parametrize("by_name", [True, False])
def test_a_session_request_is_a_task_in_its_own_chain(api, channel, by_name):
    where = {"channel_name": "work"} if by_name else {"channel_id": channel["id"]}

    task = data(api.post("/agents/request-session", **where), 201)["task"]

    assert {k: task[k] for k in ("title", "type", "sequence", "priority", "status")} == {
        "title": "Agent Session Request",
        "type": "request_claude_session",
        "sequence": 1,
        "priority": 100,
        "status": "queued",
    }
    assert re.fullmatch("asr_[0-9a-f]{32}", task[TOKEN])
    assert api.fresh_chain(task["chain_id"])["name"] == "Session Request"


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({}, (400, "invalid_request")),
        ({"channel_name": " "}, (400, "invalid_request")),
        ({"channel_name": "x"}, (404, "channel_not_found")),
        ({"channel_id": UNKNOWN}, (404, "not_found")),
        ({"channel_id": "nonsense"}, (404, "not_found")),
    ],
)
def test_a_session_is_requested_in_a_channel_that_there_is(api, body, refused):
    assert refusal(api.post("/agents/request-session", **body)) == refused
    assert not Chain.objects.exists()


def test_a_session_request_is_never_claimed(api, channel, request_):
    where = [{"channel": "work"}, {"channel_id": channel["id"]}, {"channels": ["work", "x"]}]
    for body in where:
        assert refusal(api.post("/tasks/claim", agent_id="a", **body)) == (404, "no_tasks")
        several = api.post("/tasks/claim", agent_id="a", max_tasks=5, **body)
        assert data(several) == {"tasks": []}
    lone = api.task(channel)

    assert api.claim("a", channel)["id"] == lone["id"]
    assert api.fresh(request_)["status"] == "queued"


def test_not_even_the_owner_of_its_chain_claims_a_session_request(api, channel, request_):
    api.beat("a", meta={"subscriptions": ["work"]})
    data(api.post(f"/chains/{request_['chain_id']}/assign-agent", agent_id="a"))

    for more in ({}, {"idempotency_key": "k"}):
        claim = api.post("/tasks/claim", agent_id="a", channel="work", **more)
        assert refusal(claim) == (404, "no_tasks")
    assert data(api.assign(request_, "a"))["task"][TOKEN] == request_[TOKEN]


def test_an_agent_finds_session_requests_in_the_list_of_queued_tasks(api, channel, request_):
    api.task(channel)

    queued = data(api.get("/tasks", status="queued"))["tasks"]
    (found,) = (task for task in queued if task.get("type") == "request_claude_session")

    assert found == request_
    by_type = data(api.get("/tasks", type="request_claude_session"))["tasks"]
    assert by_type == [request_]


def test_the_token_is_shown_while_queued_and_in_the_reply_to_assign(api, request_):
    shown = [request_, api.fresh(request_), data(api.get("/tasks"))["tasks"][0]]
    shown.append(data(api.assign(request_, "a"))["task"])
    shown.append(data(api.assign(request_, "a"))["task"])

    assert {task[TOKEN] for task in shown} == {request_[TOKEN]}


def test_the_token_is_shown_nowhere_else(api, request_):
    api.assign(request_, "a")
    hidden = [
        api.get(f"/tasks/{request_['id']}"),
        api.get("/tasks"),
        api.get("/agents/a/current-task"),
        api.get("/agents"),
        api.get("/events"),
        api.post(f"/tasks/{request_['id']}/renew", agent_id="a"),
        api.assign(request_, "b"),
        completion(api, {TOKEN: request_[TOKEN]}),
        api.get(f"/tasks/{request_['id']}"),
    ]

    for response in hidden[:-2]:
        assert request_[TOKEN] not in response.content.decode()
    assert request_[TOKEN] not in hidden[-1].content.decode()


def test_the_token_of_a_failed_request_is_not_shown(api, request_):
    api.assign(request_, "a")

    assert TOKEN not in data(api.fail(request_, agent_id="a", reason="no tmux"))["task"]


def test_a_session_is_completed_by_its_token_while_the_agent_works(api, channel, request_):
    api.beat("a")
    data(api.assign(request_, "a"))
    api.beat("a", current_task_id=UNKNOWN)

    event = data(completion(api, {TOKEN: request_[TOKEN]}), 201)["event"]

    assert event["task_id"] == request_["id"]
    done = data(api.get("/tasks", status="done"))["tasks"]
    assert [task["id"] for task in done] == [request_["id"]]
    assert api.fresh_chain(request_["chain_id"])["status"] == "done"


@pytest.mark.parametrize(
    "name",
    [TOKEN, "agentSessionRequestToken", "agent_session_token", "agentSessionToken"],
)
def test_the_token_has_several_names(api, request_, name):
    api.assign(request_, "a")

    data(completion(api, {name: f" {request_[TOKEN]} "}), 201)

    assert api.fresh(request_)["status"] == "done"


def test_the_type_of_the_event_is_known_without_regard_to_case(api, request_):
    api.assign(request_, "a")
    type_ = "Agent.Automation.SESSION_request.completed"

    data(api.post("/events", agent_id="a", type=type_, payload={TOKEN: request_[TOKEN]}), 201)

    assert api.fresh(request_)["status"] == "done"


@pytest.mark.parametrize("payload", [{}, {TOKEN: ""}, {TOKEN: 5}, {TOKEN: None}, {"x": "asr_1"}])
def test_a_completion_without_a_token_is_refused(api, request_, payload):
    api.assign(request_, "a")

    response = completion(api, payload)

    assert refusal(response) == (400, "invalid_request")
    assert TOKEN in message(response)
    assert not posted().exists()


def test_a_completion_by_an_unknown_token_is_refused(api, request_):
    response = completion(api, {TOKEN: "asr_" + "0" * 32})

    assert refusal(response) == (404, "not_found")
    assert not posted().exists()


@pytest.mark.parametrize("where", ["task_id", "payload.task_id", "payload.taskId"])
def test_a_completion_may_name_its_task(api, request_, where):
    api.assign(request_, "a")
    payload, more = {TOKEN: request_[TOKEN]}, {}
    if where == "task_id":
        more = {"task_id": request_["id"].upper()}
    else:
        payload[where.removeprefix("payload.")] = request_["id"]

    assert data(completion(api, payload, **more), 201)["event"]["task_id"] == request_["id"]


@pytest.mark.parametrize("where", ["task_id", "payload.task_id", "payload.taskId"])
@pytest.mark.parametrize("named", [UNKNOWN, "nonsense"])
def test_a_completion_that_names_another_task_is_refused(api, request_, where, named):
    api.assign(request_, "a")
    payload, more = {TOKEN: request_[TOKEN]}, {}
    if where == "task_id":
        more = {"task_id": named}
    else:
        payload[where.removeprefix("payload.")] = named

    assert refusal(completion(api, payload, **more)) == (409, "conflict")
    assert api.fresh(request_)["status"] == "in_progress"
    assert not posted().exists()


def test_the_task_named_in_the_body_counts_before_that_in_the_payload(api, request_):
    api.assign(request_, "a")
    payload = {TOKEN: request_[TOKEN], "task_id": UNKNOWN}

    data(completion(api, payload, task_id=request_["id"]), 201)


def test_a_completion_of_a_request_that_is_done_is_kept_all_the_same(api, request_):
    api.assign(request_, "a")
    data(completion(api, {TOKEN: request_[TOKEN]}), 201)

    event = data(completion(api, {TOKEN: request_[TOKEN]}), 201)["event"]

    assert event["task_id"] == request_["id"]
    assert posted().count() == 2


@pytest.mark.parametrize("status", ["queued", "failed", "locked", "cancelled"])
def test_a_completion_of_a_request_in_any_other_status_is_refused(api, request_, status):
    if status == "cancelled":
        data(api.post(f"/tasks/{request_['id']}/cancel"))
    elif status != "queued":
        api.assign(request_, "a")
        data(api.fail(request_) if status == "failed" else api.detach(request_["chain_id"], "a"))

    assert refusal(completion(api, {TOKEN: request_[TOKEN]})) == (409, "conflict")
    assert Task.objects.get().status == status
    assert not posted().exists()


def test_a_completion_repeated_with_its_key_is_kept_once(api, request_):
    api.assign(request_, "a")
    key = {"idempotency_key": f"session:{request_[TOKEN]}"}

    data(completion(api, {TOKEN: request_[TOKEN]}, **key), 201)

    assert data(completion(api, {TOKEN: request_[TOKEN]}, **key)) == {"deduped": True}
    assert posted().count() == 1


def test_a_token_is_not_worth_anything_for_other_tasks(api, channel):
    api.task(channel)
    api.claim("a", channel)

    assert refusal(completion(api, {TOKEN: "asr_"})) == (404, "not_found")
