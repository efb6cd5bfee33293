"""A client that sends no more, as those do that have said all, and those that were killed."""

import json
import socket
import time

import pytest

from tasks.models import Task
from tests.coordinator_project.test_door import IMPATIENT, answer_to, ask, connected
from tests.factories import make_channel, make_task
from tests.serving import TOKEN, serving

pytestmark = pytest.mark.django_db(transaction=True)

KNOWN = f"Authorization: Bearer {TOKEN}"
CLAIM = "/v1/tasks/claim"


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), serving(IMPATIENT) as server:
        yield server


def claim(channel, path=CLAIM):
    body = json.dumps({"agent_id": "worker", "channel_id": str(channel.pk)}).encode()
    return ask(path, KNOWN, f"Content-Length: {len(body)}", method="POST") + body


def ended(client):
    client.shutdown(socket.SHUT_WR)
    return client


def test_who_claims_and_sends_no_more_gets_the_answer(server):
    task = make_task(make_channel())

    with connected(server, claim(task.channel)) as client:
        status, headers, body = answer_to(ended(client))

    assert (status, headers["connection"]) == (200, "close")
    assert json.loads(body)["task"]["id"] == str(task.pk)


def test_a_large_answer_comes_whole(server):
    with connected(server, ask("/v1/whole")) as client:
        assert len(answer_to(ended(client))[2]) > 2**26


def test_all_requests_that_came_together_are_answered(server):
    first, second = make_task(make_channel()), make_task(make_channel())

    with connected(server, claim(first.channel) + claim(second.channel)) as client:
        body = answer_to(ended(client))[2]

    assert str(first.pk).encode() in body
    assert str(second.pk).encode() in body


@pytest.mark.parametrize("behind", [b"", ask("/health")], ids=["alone", "with-another"])
def test_a_waiting_claim_ends_and_takes_nothing(server, behind):
    channel = make_channel()

    with connected(server, claim(channel, f"{CLAIM}?wait_seconds=20") + behind) as client:
        time.sleep(1)
        started = time.monotonic()
        assert ended(client).recv(1024) == b""
        assert time.monotonic() - started < 5
        task = make_task(channel)
        time.sleep(3)

    assert Task.objects.get(pk=task.pk).status == "queued"


@pytest.mark.parametrize(
    "sends",
    [
        b"",
        b"GET /v1/tasks",
        ask(CLAIM, KNOWN, "Content-Length: 100", method="POST") + b"{",
        ask("/v1/stream", KNOWN),
    ],
    ids=["nothing", "head", "body", "stream"],
)
def test_what_is_not_whole_ends_at_once_and_so_does_a_stream(server, sends):
    with connected(server, sends) as client:
        time.sleep(0.2)
        started = time.monotonic()
        ended(client)
        while client.recv(1024):
            pass

    assert time.monotonic() - started < 0.9  # an incomplete one is cut after a second anyway
