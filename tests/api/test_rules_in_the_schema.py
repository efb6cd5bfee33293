"""The schema and the views agree on which bodies are refused."""

import pytest
from jsonschema import Draft202012Validator

from tests.factories import make_chain, make_channel, make_held_task, make_job
from tests.schema_check import inlined, whole

pytestmark = pytest.mark.django_db

ID = "019c1a2b-3c4d-7e5f-8a9b-0c1d2e3f4a5b"
SENT = {"title": "a task", "agent_id": "agent-1", "task_id": ID, "reason": "why", "name": "n"}


def schema_of(path, method="post"):
    asked = whole()["paths"][path][method]["requestBody"]
    return Draft202012Validator(inlined(asked["content"]["application/json"]["schema"]))


def agree(client, path, body, *, url=""):
    """Whether the body is taken; the schema has to say the same."""
    response = client.post(url or path, body, "application/json")
    taken = response.status_code != 400
    assert schema_of(path).is_valid(body) == taken, response.content
    return taken


@pytest.mark.parametrize("blank", ["", " ", "\x1c", "\x85", "\u3000\t"])
def test_a_required_text_is_not_blank(client, blank):
    assert not agree(client, "/v1/channels", {"name": blank})
    assert agree(client, "/v1/channels", {"name": f"{blank}x"})


@pytest.mark.parametrize(
    ("path", "alone"),
    [
        ("/v1/tasks", {"channel": "c"}),
        ("/v1/tasks", {"channel_id": ID}),
        ("/v1/tasks/claim", {"channel": "c"}),
        ("/v1/tasks/claim", {"channel_ids": [ID]}),
        ("/v1/tasks/claim", {"channels": [" ", "c"]}),
        ("/v1/tasks/report", {"claim": {"channel": "c"}}),
        ("/v1/tasks/report", {"outcomes": [{"task_id": ID, "status": "done"}]}),
        ("/v1/tasks/inputs", {"text": "yes"}),
        ("/v1/tasks/inputs", {"send_enter": True}),
        ("/v1/agents/request-session", {"channel_name": "c"}),
        ("/v1/dead-letters/requeue", {"ids": [ID]}),
        ("/v1/dead-letters/requeue", {"filter": {"agent_id": "agent-1"}}),
        ("/v1/dead-letters/requeue", {"filter": {}, "all": True}),
    ],
)
def test_one_of_several_fields_has_to_be_given(client, path, alone):
    make_channel("c")
    empty = {str: " ", list: [], dict: None, bool: False}

    assert agree(client, path, SENT | alone)
    assert not agree(client, path, SENT)
    assert not agree(client, path, SENT | {k: empty[type(v)] for k, v in alone.items()})


@pytest.mark.parametrize(
    ("path", "body", "taken"),
    [
        ("/v1/dead-letters/purge", {"ids": [ID], "filter": {"agent_id": "a"}}, False),
        ("/v1/dead-letters/purge", {"filter": {}}, False),
        ("/v1/dead-letters/purge", {"filter": {"status": "failed"}}, False),
        ("/api/v1/tokens", {"agent_id": "a", "agent_prefix": "b"}, False),
        ("/api/v1/tokens", {"agent_id": "a", "role": "user", "agent_prefix": None}, False),
        ("/api/v1/tokens", {"agent_id": None, "agent_prefix": "b", "channels": ["c"]}, True),
        ("/api/v1/tokens", {"agent_id": "", "agent_prefix": "b"}, False),
    ],
)
def test_fields_that_exclude_each_other(client, path, body, taken):
    sent = {name: value for name, value in SENT.items() if name != "agent_id"}

    assert agree(client, path, sent | body) == taken


def test_a_task_of_a_chain_wants_nothing(client):
    chain = make_chain()
    body = {"title": "a task", "channel": chain.channel.name, "chain_id": str(chain.pk)}

    assert agree(client, "/v1/tasks", body | {"wants": {}, "requires": None})
    assert not agree(client, "/v1/tasks", body | {"wants": {"gpu": "t4"}})
    assert not agree(client, "/v1/tasks", body | {"requires": {"gpu": "t4"}})


@pytest.mark.parametrize("name", ["al", "a" * 31, "al ice", "aliçe"])
def test_the_name_of_a_new_user(client, settings, name):
    settings.REGISTRATION = "operator"

    assert not agree(client, "/v1/auth/register", {"username": name, "password": "Sesame-1"})
    assert agree(client, "/v1/auth/register", {"username": "alice", "password": "Sesame-1"})


def test_where_a_body_may_be_left_out_null_is_as_none(client):
    task = make_held_task()

    assert agree(client, "/v1/tasks/{task_id}/cancel", None, url=f"/v1/tasks/{task.pk}/cancel")
    url = f"/api/v1/jobs/{make_job(tasks=1).pk}/cancel"
    assert agree(client, "/api/v1/jobs/{job_id}/cancel", None, url=url)


@pytest.mark.parametrize("field", ["tasks", "waiting"])
@pytest.mark.parametrize(
    ("listed", "taken"),
    [(["nothing"], True), ([{"id": "nothing"}], True), ([""], False), ([{}], False)],
)
def test_a_heartbeat_may_list_what_is_no_id(client, field, listed, taken):
    body = {"agent_id": "a", field: listed}

    assert agree(client, "/v1/agents/heartbeat", body) is taken


@pytest.mark.parametrize("field", ["tasks", "waiting"])
@pytest.mark.parametrize("listed", [["nothing"], [""], [{"id": "nothing"}], [{"taskId": "x"}]])
def test_a_spot_may_list_what_is_no_id(client, field, listed):
    telemetry = {"cpuLoad": 0, "runningTasks": 1, "totalCores": 1}

    assert agree(client, "/internal/v1/heartbeat", {"spotId": "s", **telemetry, field: listed})


def test_a_report_may_name_what_is_no_id(client):
    body = {"agent_id": "a", "outcomes": [{"task_id": "nothing", "status": "done"}]}

    assert agree(client, "/v1/tasks/report", body)
