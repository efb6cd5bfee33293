"""Values come back as they were sent, whatever way they take through the coordinator."""

import sys

import pytest
from django.urls import reverse

from events.models import Event
from tasks.models import Attempt
from tests.api_v1.calls import data, message, refusal

pytestmark = pytest.mark.django_db

SEED = 2**64 + 1
NUMBERS = {
    "seed": SEED,
    "negative": -SEED,
    "list": [2**63, 2**64 - 1, {"inner": 10**40 + 1}],
    "largest": int(sys.float_info.max),
    "real": 0.1,
    "small": 5e-324,
    "one": 1.0,
}


def test_numbers_of_a_payload_reach_the_agent_and_the_lists(api):
    channel = api.channel()
    task = api.task(channel, payload=NUMBERS)

    claimed = api.claim("agent", channel)

    assert claimed["payload"] == task["payload"] == NUMBERS
    assert api.fresh(task)["payload"] == NUMBERS
    [listed] = data(api.get("/tasks", channel_id=channel["id"]))["tasks"]
    assert listed["payload"] == NUMBERS


def test_json_counts_with_all_the_digits_that_it_has_when_it_comes_back(api):
    channel = api.channel()
    numbers = [1e308] * 36_000  # 216 KB as they are sent, 11 MB as they are stored
    task = api.task(channel, payload={"few": numbers[:800]})
    api.claim("a", channel)

    for path, more in [
        ("/tasks", {"channel_id": channel["id"], "title": "t", "payload": {"n": numbers}}),
        ("/tasks/complete", {"task_id": task["id"], "agent_id": "a", "result": numbers}),
        ("/events", {"agent_id": "a", "type": "x", "payload": {"n": numbers}}),
    ]:
        response = api.post(path, **more)
        assert refusal(response) == (413, "payload_too_large")
        assert "must not be larger than 262144 bytes" in message(response)
    assert "must not be larger" in api.beat("a", meta={"n": numbers[:300]})["ignored"]["meta"]
    assert list(map(float, api.fresh(task)["payload"]["few"])) == numbers[:800]


def test_numbers_of_a_result_are_kept_however_it_is_reported(api):
    channel = api.channel()
    chain = api.chain(channel)
    first, second, third = (
        api.task(channel),
        api.task(channel),
        api.task(channel, chain_id=chain["id"]),
    )
    api.claim("agent", channel)
    data(api.complete(first, result=NUMBERS))
    api.claim("agent", channel)
    outcome = {"task_id": second["id"], "status": "done", "result": [NUMBERS]}
    data(api.post("/tasks/report", agent_id="agent", outcomes=[outcome]))
    api.claim("agent", channel)
    outcome |= {"task_id": third["id"], "result": SEED}
    data(api.post("/tasks/report", agent_id="agent", outcomes=[outcome]))

    results = [api.fresh(task)["result"] for task in (first, second, third)]

    assert results == [NUMBERS, [NUMBERS], SEED]


def test_a_repeated_report_with_large_numbers_is_the_same_report(api):
    channel = api.channel()
    task = api.task(channel)
    api.claim("agent", channel)
    outcome = {"task_id": task["id"], "status": "done", "result": NUMBERS}

    answers = [
        data(api.post("/tasks/report", agent_id="agent", outcomes=[outcome]))["outcomes"][0]
        for _ in range(2)
    ]

    assert [answer["answer"] for answer in answers] == ["accepted", "already"]


def test_numbers_of_meta_and_events_are_kept(api, admin_client):
    api.beat("agent", meta=NUMBERS)
    sent = api.post("/events", agent_id="agent", type="x", payload=NUMBERS)

    assert data(sent, 201)["event"]["payload"] == NUMBERS
    assert data(api.get("/events", type="x"))["events"][0]["payload"] == NUMBERS
    assert api.agent("agent")["meta"] == NUMBERS
    event = Event.objects.get(type="x")
    page = admin_client.get(reverse("admin:events_event_change", args=[event.pk]))
    assert str(SEED) in page.content.decode()


def test_no_attempt_is_noted_for_a_refused_result(api):
    channel = api.channel()
    task = api.task(channel)
    api.claim("agent", channel)

    response = api.send(
        "post", "/tasks/complete", b'{"task_id":"%s","result":1e400}' % task["id"].encode()
    )

    assert refusal(response) == (400, "bad_json")
    assert api.fresh(task)["status"] == "in_progress"
    assert not Attempt.objects.exists()
