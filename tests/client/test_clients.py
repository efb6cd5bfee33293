"""Both clients send the same requests, read the same answers, and repeat what may be repeated."""

import asyncio
import json
import os
from datetime import UTC, datetime

import httpx2
import pytest

from coordinator_client import (
    AsyncCoordinator,
    BadAnswer,
    BadRequest,
    Conflict,
    Coordinator,
    NotFound,
    TooManyRequests,
    Unavailable,
    Unreachable,
)
from coordinator_client.methods import Operations
from coordinator_client.values import encode

TASK = {"task": {"id": "t1", "status": "queued", "created_at": "2026-01-01T00:00:00Z", "new": 1}}


class Answers:
    """Gives these one after the other, and keeps the requests."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body, *headers = answer
        return httpx2.Response(status, json=body, headers=dict(*headers))


class Both:
    """Calls the same method of either client."""

    def __init__(self, kind):
        self.kind = kind

    def call(self, answers, method, *args, patience=45, **kwargs):
        transport = httpx2.MockTransport(answers)
        if self.kind == "sync":
            with Coordinator(token="sesame", transport=transport, patience=patience) as client:
                return getattr(client, method)(*args, **kwargs)

        async def call():
            async with AsyncCoordinator(
                token="sesame", transport=transport, patience=patience
            ) as client:
                return await getattr(client, method)(*args, **kwargs)

        return asyncio.run(call())


@pytest.fixture(params=["sync", "async"])
def client(request):
    return Both(request.param)


def test_an_answer_is_read_into_its_type(client):
    answers = Answers((200, TASK))

    task = client.call(answers, "task", "a/b..c")

    assert (task.id, task.status) == ("t1", "queued")
    assert task.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert task.raw["new"] == 1
    request = answers.requests[0]
    assert request.url.raw_path == b"/v1/tasks/a%2Fb%2E%2Ec"
    assert request.headers["authorization"] == "Bearer sesame"


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "message"),
    [
        (404, {"error": {"code": "no_tasks", "message": "none"}}, NotFound, "no_tasks", "none"),
        (409, {"success": False, "error": "job is done"}, Conflict, "http_409", "job is done"),
        (
            400,
            {"error": "invalid_input", "message": "no", "details": {"name": ["too long"]}},
            BadRequest,
            "invalid_input",
            "no (name: too long)",
        ),
    ],
)
def test_errors_of_all_forms_are_exceptions(client, status, body, kind, code, message):
    with pytest.raises(kind) as caught:
        client.call(Answers((status, body)), "task", "t1")

    assert (caught.value.status, caught.value.code) == (status, code)
    assert caught.value.message == message


def test_another_answer_than_the_api_has_is_an_error(client):
    for body in ({"tusk": {}}, {"task": []}, {"task": {"id": 5, "status": "x"}}, {"task": {}}):
        with pytest.raises(BadAnswer):
            client.call(Answers((200, body)), "task", "t1")


def test_what_may_be_repeated_is(client):
    lost = httpx2.ReadError("lost")
    answers = Answers(lost, (503, {}, {"Retry-After": "0"}), (200, TASK))

    assert client.call(answers, "task", "t1").id == "t1"


def test_what_may_not_be_repeated_is_not(client):
    lost = httpx2.ReadError("lost")

    with pytest.raises(Unreachable):
        client.call(Answers(lost), "create_task", "x", channel="c")
    with pytest.raises(Unavailable):
        client.call(Answers((503, {})), "create_task", "x", channel="c")
    with pytest.raises(Unreachable):
        client.call(Answers(lost), "claim", "a", ["c"])
    with pytest.raises(Unreachable):
        client.call(Answers(lost), "complete", "t1", agent_id="a")


def test_a_key_or_an_epoch_makes_a_change_repeatable(client):
    lost = httpx2.ReadError("lost")
    created = Answers(lost, (201, TASK))
    claimed = Answers(lost, (200, {"tasks": [TASK["task"]]}))
    reported = Answers(lost, (200, TASK))

    client.call(created, "create_task", "x", channel="c", idempotency_key="k")
    client.call(claimed, "claim", "a", ["c"], idempotency_key="k")
    client.call(reported, "complete", "t1", agent_id="a", lease_epoch=1)

    for answers in (created, claimed, reported):
        first, second = answers.requests
        assert json.loads(first.content) == json.loads(second.content)


def test_nothing_was_done_after_a_429_so_anything_is_sent_again(client):
    answers = Answers((429, {}, {"Retry-After": "0.2"}), (201, TASK))

    started = asyncio.new_event_loop()
    began = started.time()
    client.call(answers, "create_task", "x", channel="c")

    assert started.time() - began >= 0.2
    started.close()


def test_who_has_no_patience_hears_of_the_first_failure(client):
    with pytest.raises(TooManyRequests) as caught:
        client.call(Answers((429, {}, {"Retry-After": "7"})), "task", "t1", patience=0)

    assert caught.value.retry_after == 7


def test_a_pause_that_is_too_long_is_left_to_the_caller(client):
    with pytest.raises(Unavailable):
        client.call(Answers((503, {}, {"Retry-After": "3600"})), "task", "t1")


def test_a_file_is_streamed_with_the_token_of_the_lease(client, tmp_path):
    file = tmp_path / "report.txt"
    file.write_bytes(b"x" * 600_000)
    answers = Answers(httpx2.WriteError("lost"), (201, {}))

    client.call(
        answers,
        "send_artifact",
        "t1",
        "logs/a b.txt",
        file,
        size=600_000,
        sha256="abc",
        agent_id="a",
        lease_epoch=2,
        token="of the lease",
    )

    request = answers.requests[-1]
    assert request.url.raw_path.startswith(b"/v1/tasks/t1/artifacts/logs/a%20b%2Etxt?")
    assert request.headers["authorization"] == "Bearer of the lease"
    assert request.headers["content-length"] == "600000"


def test_both_clients_have_the_same_methods():
    ours = {name for name in dir(Operations) if not name.startswith("_")}

    assert ours <= set(dir(Coordinator)) & set(dir(AsyncCoordinator))
    assert {"claim", "submit_job", "report_exit"} <= ours


class Streams(httpx2.SyncByteStream):
    """Sends these chunks and then breaks off, or ends."""

    def __init__(self, *chunks, error=None):
        self.chunks = chunks
        self.error = error

    def __iter__(self):
        yield from self.chunks
        if self.error:
            raise self.error


def event(n, **fields):
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    data = json.dumps({"timestamp": "2026-01-01T00:00:00Z", "stream": "stdout", "message": str(n)})
    return f"{head}data: {data}\n\n".encode()


def test_a_log_that_breaks_off_goes_on_without_a_line_twice_or_missing():
    streams = [
        Streams(b"retry: 1\n\n", event(1), event(2, id="a")[:9], event(2, id="a")[9:], event(3)),
        Streams(event(3), event(4), error=httpx2.ReadError("lost")),
        Streams(event(3), event(4), event(5, id="b"), b": ping\n\n"),
        Streams(event(6), b"event: end\ndata: {}\n\n"),
    ]
    asked = []

    def answer(request):
        asked.append(request.headers.get("Last-Event-ID"))
        return httpx2.Response(200, stream=streams.pop(0))

    with Coordinator(transport=httpx2.MockTransport(answer)) as client:
        lines = [entry.message for entry in client.follow_job_logs("j1")]

    assert lines == ["1", "2", "3", "4", "5", "6"]
    assert asked == [None, "a", "a", "b"]


def test_what_is_no_text_can_be_sent():
    """A file's name, which an error may have in it."""
    name = os.fsdecode(b"a\xff\n")

    assert json.loads(encode({"error": f"{name} €"})) == {"error": f"{name} €"}


def test_lines_that_are_new_among_those_that_come_again_are_not_taken_for_them():
    """What the other stream had sent late has its place before lines that were shown."""
    streams = [
        Streams(event(1, id="a"), event(3), event(3), event(4), error=httpx2.ReadError("lost")),
        Streams(event(2), event(3), event(3), event(4, id="b"), event(3), b"event: end\n\n"),
        Streams(b"event: end\ndata: {}\n\n"),
    ]

    def answer(request):
        return httpx2.Response(200, stream=streams.pop(0))

    with Coordinator(transport=httpx2.MockTransport(answer)) as client:
        lines = [entry.message for entry in client.follow_job_logs("j1")]

    assert lines == ["1", "3", "3", "4", "2", "3"]


def test_who_follows_waits_as_long_as_the_coordinator_asks(client, monkeypatch):
    waited = []

    async def wait(seconds):
        waited.append(seconds)

    monkeypatch.setattr("coordinator_client.clients.asyncio.sleep", wait)
    monkeypatch.setattr("coordinator_client.clients.time.sleep", waited.append)
    busy = (429, {"error": "too_many_requests", "message": "close some"}, {"Retry-After": "5"})
    found = Answers(busy, (404, {"error": "not_found", "message": "none"}))

    async def follow():
        return [one async for one in AsyncCoordinator(**transport).follow_job_logs("j1")]

    transport = {"transport": httpx2.MockTransport(found)}
    with pytest.raises(NotFound):  # noqa: PT012
        if client.kind == "sync":
            list(Coordinator(**transport).follow_job_logs("j1"))
        else:
            asyncio.run(follow())

    assert 5 < waited[0] < 7


def test_who_may_not_see_a_log_does_not_ask_again():
    answers = Answers((404, {"error": "not_found", "message": "none"}))
    with (
        Coordinator(transport=httpx2.MockTransport(answers)) as found,
        pytest.raises(NotFound),
    ):
        list(found.follow_job_logs("j1"))


def test_the_page_of_a_log_has_its_cursor_in_a_header(client):
    line = {"timestamp": "2026-01-01T00:00:00Z", "stream": "stdout", "message": "x"}

    page = client.call(Answers((200, [line], {"X-Next-Cursor": "c"})), "job_logs", "j1")

    assert [entry.message for entry in page.items] == ["x"]
    assert page.next_cursor == "c"
