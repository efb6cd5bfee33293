import asyncio
import json
import time
from contextlib import aclosing, contextmanager

import httpx
import pytest
from django.db import connection

from agents import transitions as agents
from dashboard.stream import speak
from events import tail
from events.models import Event
from events.sse import PING_AFTER
from tests.factories import make_agent, make_chain, make_channel, make_task
from tests.serving import NO_TLS, serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_old_journal")]


class Stream:
    """A client of the stream, which reads one frame after the other."""

    def __init__(self, response):
        self.response = response
        self.lines = response.iter_lines()
        self.last_id = None

    def frame(self):
        """The next frame's fields; a comment's are empty."""
        fields = {}
        for line in self.lines:
            if not line:
                break
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        assert fields, "the stream has ended"
        self.last_id = fields.get("id", self.last_id)
        return fields

    def event(self):
        frame = self.frame()
        return frame["event"], json.loads(frame["data"])

    def topics(self, number):
        return {self.event()[1]["type"] for _ in range(number)}


@contextmanager
def streaming(server, *, after=None, **params):
    headers = server.headers | ({} if after is None else {"Last-Event-ID": after})
    with httpx.stream(
        "GET",
        f"{server.url}/v1/stream",
        headers=headers,
        params=params,
        timeout=20,
        verify=NO_TLS,
    ) as response:
        yield Stream(response)


@contextmanager
def greeted(server, **how):
    with streaming(server, **how) as stream:
        assert stream.event() == ("hello", {})
        yield stream


def refused(server, after=None, **params):
    with streaming(server, after=after, **params) as stream:
        stream.response.read()
        return stream.response


def test_a_stream_begins_with_a_hello_and_has_its_headers(server):
    with streaming(server) as stream:
        frame = stream.frame()

        assert frame["event"] == "hello"
        assert frame["data"] == "{}"
        assert frame["retry"] == "2000"
        assert frame["id"].isdigit()
        headers = stream.response.headers
        assert stream.response.status_code == 200
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Connection"] == "keep-alive"
        assert headers["X-Accel-Buffering"] == "no"
        assert headers["X-Request-Id"]


def test_a_change_sends_one_update_for_each_list_that_it_makes_stale(server):
    channel = make_channel()
    agent = make_agent("worker")
    with greeted(server) as stream:
        task = make_task(channel)
        kind, data = stream.event()
        assert kind == "update"
        assert data["type"] == "tasks"
        assert data["ids"] == [str(task.pk)]
        assert data["time"].endswith("Z")

        with server.client() as client:
            claim = {"agent_id": agent.pk, "channel_id": str(channel.pk)}
            client.post("/v1/tasks/claim", json=claim).raise_for_status()
        assert stream.topics(2) == {"agents", "tasks"}

        make_channel("another")
        assert stream.topics(1) == {"channels"}
        make_chain(channel)
        assert stream.topics(1) == {"chains"}
        with server.client() as client:
            body = {"task_id": str(task.pk), "agent_id": agent.pk, "text": "go on"}
            client.post("/v1/tasks/inputs", json=body).raise_for_status()
            assert stream.topics(1) == {"inputs"}
            posted = {"agent_id": agent.pk, "type": "task.completed"}
            client.post("/v1/events", json=posted).raise_for_status()
            assert stream.topics(1) == {"events"}


def test_many_changes_at_once_are_one_update(server):
    channel = make_channel()
    with greeted(server) as stream:
        for number in range(60):
            Event.objects.create(type="task.created", task_id=str(number))
        seen = [stream.event()[1]]
        make_chain(channel)
        while seen[-1]["type"] != "chains":
            seen.append(stream.event()[1])

    # Sixty rows written one by one may meet several of the reads, five a second.
    assert len(seen) < 20
    assert {data["type"] for data in seen} == {"tasks", "chains"}


def test_an_update_of_too_many_rows_has_no_ids(server):
    with greeted(server) as stream:
        Event.objects.bulk_create(
            Event(type="task.created", task_id=str(number)) for number in range(51)
        )

        assert "ids" not in stream.event()[1]


def test_an_agent_that_waits_for_a_person_is_a_notification(server):
    with greeted(server) as stream:
        agents.beat(agents.Beat("worker", name="Worker", meta={"state": "setup_waiting"}))

        frames = [stream.event(), stream.event()]

    assert frames[0][1]["type"] == "agents"
    kind, data = frames[1]
    assert kind == "notification"
    assert data["type"] == "notification"
    assert data["payload"]["notification_type"] == "setup_waiting"
    assert data["payload"]["agent_id"] == "worker"
    assert data["payload"]["agent_name"] == "Worker"
    assert data["payload"]["channel"] == ""
    assert "Worker" in data["payload"]["message"]


def test_an_agent_cannot_forge_a_notification(server):
    with greeted(server) as stream, server.client() as client:
        posted = {"agent_id": "mallory", "type": "agent.setup_waited", "payload": {"a": 1}}
        client.post("/v1/events", json=posted).raise_for_status()

        assert stream.topics(1) == {"events"}
        make_channel()
        assert stream.topics(1) == {"channels"}


@pytest.mark.parametrize("where", ["header", "query"])
def test_a_client_that_reconnects_gets_what_it_missed(server, where):
    with greeted(server) as stream:
        make_channel()
        stream.event()
        last = stream.last_id
    make_task()

    how = {"after": last} if where == "header" else {"last_event_id": last}
    with greeted(server, **how) as stream:
        assert stream.topics(2) == {"channels", "tasks"}


def test_a_client_that_missed_nothing_gets_only_new_updates(server):
    with greeted(server) as stream:
        last = stream.last_id
    with greeted(server, after=last) as stream:
        make_channel()

        assert stream.topics(1) == {"channels"}


def test_all_lists_are_stale_for_an_id_before_the_journal(server):
    make_task()
    Event.objects.all().delete()
    make_channel()

    with greeted(server, after="0") as stream:
        frames = [stream.event()[1] for _ in range(7)]

    assert [data["type"] for data in frames] == [
        "agents",
        "tasks",
        "channels",
        "chains",
        "jobs",
        "inputs",
        "events",
    ]
    assert not any("ids" in data for data in frames)


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 19, "1" * 20, "1 OR 1=1", "\xb2", "%00"])
def test_an_invalid_last_event_id_is_refused(server, given):
    for answer in (refused(server, after=given.encode()), refused(server, last_event_id=given)):
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid_request"


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "DELETE"])
def test_a_stream_is_read_only(server, method):
    answer = httpx.request(method, f"{server.url}/v1/stream", headers=server.headers)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET"


def test_a_stream_needs_a_credential_in_a_header_or_the_query(server):
    with httpx.stream("GET", f"{server.url}/v1/stream") as response:
        assert response.status_code == 401
    token = server.headers["Authorization"].removeprefix("Bearer ")
    with httpx.stream("GET", f"{server.url}/v1/stream", params={"token": token}) as response:
        assert response.status_code == 200


def test_the_number_of_streams_is_limited_and_slots_are_freed(server):
    with greeted(server), greeted(server):
        with greeted(server):
            answer = refused(server)
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "unavailable"
            assert answer.headers["Retry-After"]

        deadline = time.monotonic() + 30
        while refused_now(server):
            assert time.monotonic() < deadline


def refused_now(server):
    with streaming(server) as stream:
        return stream.response.status_code == 503


async def test_a_quiet_stream_is_kept_open_by_comments(monkeypatch):
    assert PING_AFTER == 15
    monkeypatch.setattr("dashboard.stream.PING_AFTER", 1.0)
    async with aclosing(speak(None)) as frames:
        assert b"hello" in await anext(frames)

        assert await anext(frames) == b": ping\n\n"


def write_event(task_id, **more):
    written = Event.objects.create(type="task.created", task_id=task_id, **more)
    connection.close()
    return written.pk


async def test_a_client_that_does_not_read_for_long_loses_nothing(monkeypatch):
    monkeypatch.setattr(tail, "MOST_BATCHES", 2)
    async with aclosing(speak(None)) as slow, tail.watch() as quick:
        await anext(slow)
        await quick.next()
        for number in range(5):
            await asyncio.to_thread(write_event, f"task-{number}")
            await quick.next()

        seen = set()
        async with asyncio.timeout(30):
            while len(seen) < 5:
                data = json.loads((await anext(slow)).decode().partition("data: ")[2])
                seen.update(data["ids"])


async def test_a_stream_that_breaks_within_a_batch_goes_on_before_it():
    before = await asyncio.to_thread(write_event, "before")
    await asyncio.to_thread(write_event, "task-1")
    await asyncio.to_thread(write_event, "task-2", agent_id="agent-1")
    async with aclosing(speak(before)) as frames:
        hello, *updates, end = (await anext(frames)).split(b"\n\n")

    ids = [dict(line.split(b": ", 1) for line in one.splitlines()).get(b"id") for one in updates]
    assert (len(updates), end) == (2, b"")
    assert b"id: %d\n" % before in hello
    assert ids[0] is None
    assert int(ids[1]) > before


def test_a_restart_of_the_server_loses_nothing():
    with serving() as server:
        with greeted(server) as stream:
            make_channel()
            stream.event()
            last = stream.last_id
            started = time.monotonic()
            server.stop()
            assert time.monotonic() - started < 5
            assert list(stream.lines) == []
        make_task()
        server.start()

        with greeted(server, after=last) as stream:
            assert stream.topics(2) == {"channels", "tasks"}
