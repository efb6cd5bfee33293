"""POST and GET /v1/events."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DataError, connection

from accounts.callers import LOCAL
from events import journal
from events.models import Event, EventKey
from events.signals import event_posted
from problems import Conflict

pytestmark = pytest.mark.django_db


def post(client, **body):
    return client.post("/v1/events", body, content_type="application/json")


def test_an_agent_posts_an_event(client):
    body = {"agent_id": " a-1 ", "type": "claude.hook", "task_id": "t-1", "payload": {"n": 1}}

    response = post(client, **body, idempotency_key="k")

    event = response.json()["event"]
    assert response.status_code == 201
    assert event["id"] == str(Event.objects.get().pk)
    assert event["created_at"].endswith("Z")
    assert {k: event[k] for k in ("agent_id", "type", "task_id", "payload", "source", "actor")} == {
        "agent_id": "a-1",
        "type": "claude.hook",
        "task_id": "t-1",
        "payload": {"n": 1},
        "source": "agent",
        "actor": "agent:a-1",
    }
    assert event["request_id"] == response["X-Request-Id"]
    assert event["idempotency_key"] == "k"


def test_empty_fields_of_an_event_are_left_out(client):
    event = post(client, agent_id="a", type="t").json()["event"]

    assert event.keys() == {
        "id", "agent_id", "type", "source", "created_at", "actor", "request_id"
    }  # fmt: skip


def test_nobody_forges_the_source(client):
    event = post(client, agent_id="a", type="task.completed", source="coordinator").json()["event"]

    assert event["source"] == "agent"


def test_a_key_counts_once_for_an_agent_with_any_other_data(client):
    post(client, agent_id="a", type="t", idempotency_key="k", payload={"n": 1})

    again = post(client, agent_id="a", type="other", idempotency_key="k", payload={"n": 2})
    of_another = post(client, agent_id="b", type="t", idempotency_key="k")

    assert (again.status_code, again.json()) == (200, {"deduped": True})
    assert of_another.status_code == 201
    assert Event.objects.count() == 2
    key = EventKey.objects.get(agent_id="a")
    assert Event.objects.get(agent_id="a").pk == key.event_id


def test_without_a_key_every_post_counts(client):
    for _ in range(2):
        assert post(client, agent_id="a", type="t").status_code == 201

    assert Event.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({}, "invalid_request", "agent_id_required"),
        ({"agent_id": "  ", "type": "t"}, "invalid_request", "agent_id_required"),
        ({"agent_id": "a"}, "invalid_request", "type_required"),
        ({"agent_id": 1, "type": "t"}, "bad_json", "agent_id must be a string"),
        ({"agent_id": "a", "type": "t", "payload": []}, "bad_json", "payload must be an object"),
        (
            {"agent_id": "a" * 201, "type": "t"},
            "invalid_request",
            "agent_id must not be longer than 200 characters",
        ),
    ],
)
def test_an_invalid_post_writes_nothing(client, body, code, message):
    response = post(client, **body)

    assert response.status_code == 400
    assert response.json() == {"error": {"code": code, "message": message}}
    assert not Event.objects.exists()


def test_a_payload_has_a_size(client):
    response = post(client, agent_id="a", type="t", payload={"text": "x" * 256 * 1024})

    assert response.status_code == 413
    assert response.json()["error"]["message"].startswith("payload must not be larger than")
    assert not Event.objects.exists()


@pytest.fixture
def listen():
    receivers = []

    def connect(receiver):
        receivers.append(receiver)
        event_posted.connect(receiver)

    yield connect
    for receiver in receivers:
        event_posted.disconnect(receiver)


def test_a_room_above_may_say_which_task_an_event_is_about(client, listen):
    def name_it(sender, payload, **kwargs):
        return payload.get("real")

    listen(name_it)

    named = post(client, agent_id="a", type="t", task_id="named", payload={"real": "known"})
    unnamed = post(client, agent_id="a", type="t", task_id="named")

    assert named.json()["event"]["task_id"] == "known"
    assert unnamed.json()["event"]["task_id"] == "named"


def test_a_room_above_may_refuse_an_event_and_its_key_stays_free(client, listen):
    def refuse(sender, type, **kwargs):  # noqa: A002
        if type == "no":
            raise Conflict("Not that one.")

    listen(refuse)

    refused = post(client, agent_id="a", type="no", idempotency_key="k")
    taken = post(client, agent_id="a", type="yes", idempotency_key="k")

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert taken.status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_many_posts_at_once_with_one_key_exactly_one_counts(client):
    def send(_):
        try:
            return post(client, agent_id="a", type="t", idempotency_key="k").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(send, range(24)))

    assert codes == [200] * 23 + [201]
    assert Event.objects.count() == EventKey.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_that_cannot_be_written_leaves_its_key_free():
    fields = {"agent_id": "a", "task_id": "", "payload": {}, "idempotency_key": "k"}
    fields |= {"caller": LOCAL}

    with pytest.raises(DataError):
        journal.post(type_="t" * 201, **fields)

    assert not EventKey.objects.exists()
    assert journal.post(type_="t", **fields) is not None


def listed(client, **query):
    response = client.get("/v1/events", query)
    assert response.status_code == 200, response.content
    return [event["type"] for event in response.json()["events"]]


def test_the_newest_event_comes_first(client):
    for type_ in ("first", "second", "third"):
        Event.objects.create(type=type_)

    assert listed(client) == ["third", "second", "first"]


def test_events_are_filtered_by_their_objects(client):
    chain, channel = "0192c000-0000-7000-8000-00000000000a", "0192c000-0000-7000-8000-00000000000b"
    Event.objects.create(type="other")
    Event.objects.create(
        type="this", agent_id="a", task_id="t", chain_id=chain, channel_id=channel, source="agent"
    )

    for query in (
        {"agent_id": "a"},
        {"task_id": "t"},
        {"chain_id": chain},
        {"channel_id": channel},
        {"type": "this"},
        {"source": "agent"},
        {"agent_id": "a", "task_id": "t"},
    ):
        assert listed(client, **query) == ["this"], query


@pytest.mark.parametrize(
    "query",
    [
        {"agent_id": "nobody"},
        {"agent_id": "\0"},
        {"chain_id": "no id"},
        {"channel_id": "\0"},
        {"source": "banana"},
    ],
)
def test_an_unknown_filter_value_gives_an_empty_list(client, query):
    Event.objects.create(type="t")

    assert listed(client, **query) == []


def test_events_are_cut_to_a_period(client):
    for month in (1, 2, 3):
        Event.objects.create(type=str(month), created_at=f"2026-0{month}-15T00:00:00Z")

    period = {"created_after": "2026-01-20T00:00:00Z", "created_before": "2026-02-15T00:00:01Z"}

    assert listed(client, **period) == ["2"]


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01T00:00:00Z", "\0", "1" * 4])
def test_a_malformed_period_is_refused(client, moment):
    response = client.get("/v1/events", {"created_after": moment})

    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("created_after must be ")


def test_events_come_page_by_page(client):
    Event.objects.bulk_create(Event(type=str(n)) for n in range(7))

    seen, cursor = [], {}
    while True:
        body = client.get("/v1/events", {"limit": 3, **cursor}).json()
        seen += [event["type"] for event in body["events"]]
        if "next_cursor" not in body:
            break
        cursor = {"cursor": body["next_cursor"]}

    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


def test_the_answer_to_a_wrong_method_lists_the_right_ones(client):
    response = client.delete("/v1/events")

    assert response.status_code == 405
    assert {method.strip() for method in response["Allow"].split(",")} == {"GET", "HEAD", "POST"}
    assert response.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_the_ends_of_time_are_times_like_others(client, moment):
    assert client.get("/v1/events", {"created_after": moment}).status_code in {200, 400}
