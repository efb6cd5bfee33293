import json
import socket
import time
from contextlib import contextmanager

import httpx
import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from accounts.models import User
from agents import transitions as agents
from chains import transitions as chains
from dashboard import deltas
from events.models import Event
from jobs.models import Job
from tasks.models import Task
from tasks.states import Status
from tests.factories import give, make_agent, make_chain, make_channel, make_job, make_task
from tests.serving import NO_TLS, TOKEN, serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_old_journal")]


class Page:
    """An open page and the messages that it has received."""

    def __init__(self, socket):
        self.socket = socket
        self.cursor = None
        self.messages = []

    def next(self, within=60):
        message = json.loads(self.socket.recv(within))
        self.cursor = message["cursor"]
        self.messages.append(message)
        return message

    def until(self, condition):
        """The first message that meets the condition."""
        deadline = time.monotonic() + 60
        while not condition(message := self.next()):
            assert time.monotonic() < deadline
        return message

    def row(self, kind, key, **wanted):
        """The row with this id, once it has these values."""

        def there(message):
            return any(fits(row) for row in message.get(kind, []))

        def fits(row):
            return row["id"] == str(key) and wanted.items() <= row.items()

        return next(row for row in self.until(there)[kind] if fits(row))

    def end(self):
        """The close code, after the remaining messages."""
        try:
            while True:
                self.next()
        except ConnectionClosed:
            return self.socket.close_code

    @property
    def events(self):
        return [event["id"] for message in self.messages for event in message.get("events", [])]


@contextmanager
def watching(server, *, cursor=None, headers=None):
    query = "" if cursor is None else f"?cursor={cursor}"
    url = server.url.replace("http", "ws") + "/console/live" + query
    with connect(
        url, additional_headers=server.headers if headers is None else headers, compression=None
    ) as socket:
        yield Page(socket)


@contextmanager
def greeted(server, **how):
    with watching(server, **how) as page:
        page.next()
        yield page


def refusal(server, **how):
    """The code with which a page is refused."""
    with watching(server, **how) as page:
        return page.end()


def journal():
    return [str(pk) for pk in Event.objects.order_by("id").values_list("pk", flat=True)]


def test_a_page_gets_the_rows_that_changed_as_they_are_now(server):
    channel = make_channel()
    chain = make_chain(channel, tasks=2)
    agent = make_agent()
    with greeted(server) as page:
        task = give(agent, channel)

        message = page.until(lambda message: "tasks" in message)

    [row] = message["tasks"]
    assert row["id"] == str(task.pk)
    assert row["status"] == "in_progress"
    assert row["assigned_agent_id"] == agent.pk
    [row] = message["chains"]
    assert row["id"] == str(chain.pk)
    assert row["owner"] == agent.pk
    assert row["counts"] == {"in_progress": 1, "queued": 1}
    assert row["current"] == str(task.pk)
    [holder] = message["agents"]
    assert holder["held"] == 1
    assert holder["chain"]["id"] == str(chain.pk)
    types = [event["type"] for event in message["events"]]
    assert types.count("task.claimed") == 1
    assert "chain.acquired" in types


def test_a_deleted_task_is_in_a_message(server):
    gone = make_task().pk
    with greeted(server) as page:
        Task.objects.filter(pk=gone).delete()

        assert page.row("tasks", gone, deleted=True) == {"id": str(gone), "deleted": True}


def test_a_deleted_job_is_in_a_message(server):
    job = make_job(tasks=1)
    with greeted(server) as page:
        Job.objects.filter(pk=job.pk).delete()

        assert page.row("jobs", job.public_id, deleted=True)["uuid"] == str(job.pk)


def test_a_change_is_followed_by_new_counters(server):
    with greeted(server) as page:
        make_task()

        counters = page.until(lambda message: "counters" in message)["counters"]
        while counters["tasks"]["queued"] != 1:
            counters = page.until(lambda message: "counters" in message)["counters"]

    assert len(counters["rate"]) == 60
    assert counters["oldest_waiting_at"]


def test_a_page_gets_a_job_when_its_tasks_change(server):
    job = make_job(tasks=2)
    with greeted(server) as page:
        task = job.tasks.first()
        agent = make_agent()
        give(agent, task.channel)

        assert page.row("jobs", job.public_id, running=1)["waiting"] == 1


def test_a_page_gets_what_needs_a_person_and_hears_when_it_is_put_right(server):
    channel, agent = make_channel(), make_agent()
    chain = make_chain(channel, tasks=1)
    give(agent, channel)
    with greeted(server) as page:
        chains.detach(chain.pk, owner_id=agent.pk, by="tests")

        [finding] = page.until(lambda message: message.get("attention"))["attention"]
        assert finding["kind"] == "chain_locked"
        assert [one["id"] for one in finding["subjects"]] == [str(chain.pk)]

        chains.unlock_all(chain.pk, Status.QUEUED, by="tests")
        assert page.until(lambda message: message.get("attention") == [])


def test_an_agent_that_waits_for_a_person_makes_the_notifications_stale(server):
    with greeted(server) as page:
        agents.beat(agents.Beat("agent-1", meta={"state": "setup_waiting"}))

        assert page.until(lambda message: message.get("notifications"))


def test_a_list_with_too_many_changed_rows_is_stale(server):
    with greeted(server) as page:
        Event.objects.bulk_create(
            Event(type="task.created", task_id=f"{number:032x}")
            for number in range(deltas.MOST_ROWS + 1)
        )

        assert page.until(lambda message: "stale" in message)["stale"] == ["tasks"]


def test_a_page_that_reconnects_gets_all_that_it_missed(server):
    with greeted(server) as page:
        make_channel()
        page.until(lambda message: "events" in message)
    seen = page.events
    task = make_task()

    with watching(server, cursor=page.cursor) as again:
        message = again.next()

    assert [row["id"] for row in message["tasks"]] == [str(task.pk)]
    assert {*seen, *again.events} == {*journal()[1:]}


def test_all_lists_are_stale_for_a_cursor_before_the_journal(server):
    make_task()
    Event.objects.all().delete()
    make_channel()

    with watching(server, cursor=0) as page:
        assert page.next()["stale"] == [*deltas.KINDS]


def test_messages_continue_from_the_cursor_of_the_overview(server):
    make_task()
    with server.client() as client:
        cursor = client.get("/console/overview").json()["cursor"]
    later = make_task()

    with watching(server, cursor=cursor) as page:
        assert page.row("tasks", later.pk)


def test_a_restart_of_the_server_loses_no_event():
    with serving() as server:
        with greeted(server) as page:
            make_channel()
            page.until(lambda message: "events" in message)
            started = time.monotonic()
            server.stop()
            assert time.monotonic() - started < 5
            assert page.end() == 1012
        make_task()
        server.start()

        with watching(server, cursor=page.cursor) as again:
            again.until(lambda message: "events" in message)

    assert {*page.events, *again.events} == {*journal()[1:]}


def test_a_page_without_a_credential_is_refused(server):
    with watching(server, headers={}) as page:
        assert page.end() == 4401
        assert page.socket.close_reason.startswith("Send a token")


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 19, "%FF", "1%00", "1&cursor=x", "%2B5"])
def test_an_invalid_cursor_is_refused_with_a_sentence(server, cursor):
    with watching(server, cursor=cursor) as page:
        assert page.end() == 4400
        assert page.socket.close_reason == "Last-Event-ID: not an id of this stream"


@pytest.mark.parametrize("cursor", ["x", "%FF", "1&cursor=x"])
def test_a_cursor_that_is_none_is_refused_beside_a_header_that_is_one(server, cursor):
    """The header goes first over HTTP, the query counts here: neither is to be open and silent."""
    headers = server.headers | {"Last-Event-ID": "1"}

    assert refusal(server, cursor=cursor, headers=headers) == 4400


def test_a_cursor_that_the_journal_has_not_reached_is_answered(server):
    with watching(server, cursor="9" * 18) as page:
        assert page.next()["cursor"]


def test_a_page_whose_messages_fail_is_closed_and_not_left_silent():
    broken = "from dashboard import hub; hub.join = lambda since: 1 / 0"
    with serving(broken) as server:
        assert refusal(server) == 1011


IMPATIENT = """
from coordinator_project import patience
patience.STILL = patience.GRACE = 1.0
"""
ASKS = """GET /console/live HTTP/1.1\r
Host: localhost\r
Authorization: Bearer {token}\r
Connection: Upgrade\r
Upgrade: websocket\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
\r
"""


def test_a_page_that_reads_nothing_is_cut_and_makes_room_for_another():
    channel = make_channel()
    with serving(IMPATIENT, COORDINATOR_MAX_STREAMS="1") as server, socket.socket() as page:
        page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        page.connect(server.listening.getsockname())
        page.sendall(ASKS.format(token=TOKEN).encode())
        assert page.recv(100).startswith(b"HTTP/1.1 101")
        assert refusal(server) == 4503

        rows = [{"channel": channel.name, "title": "x" * 2000} for _ in range(190)]
        deadline = time.monotonic() + 60
        with server.client() as client:
            while refused(server):
                assert time.monotonic() < deadline, "it is never cut"
                client.post("/v1/tasks", json=rows)


def refused(server):
    """Whether there is no room for another page."""
    with watching(server) as page:
        try:
            page.next()
        except ConnectionClosed:
            return True
    return False


def test_a_page_of_another_site_is_refused(server):
    for origin in ("https://elsewhere.example", "http://localhost:1", "null"):
        foreign = server.headers | {"Origin": origin}
        with pytest.raises(InvalidStatus, match="403"), watching(server, headers=foreign):
            pass

    own = server.headers | {"Origin": server.url}
    with greeted(server, headers=own) as page:
        assert page.cursor


def test_a_session_needs_the_permission_to_view_the_console(server):
    viewer = User.objects.create_user("viewer")
    session = Client()
    session.force_login(viewer)
    cookie = {"Cookie": f"sessionid={session.cookies['sessionid'].value}"}
    assert refusal(server, headers=cookie) == 4403

    viewer.user_permissions.add(Permission.objects.get(codename="view_console"))
    with greeted(server, headers=cookie) as page:
        assert page.cursor


def test_the_number_of_pages_of_a_process_is_limited(server):
    with greeted(server), greeted(server), greeted(server):
        assert refusal(server) == 4503


def test_a_stream_has_the_same_messages(server):
    task = make_task()
    with httpx.stream(
        "GET",
        f"{server.url}/console/stream",
        params={"cursor": int(journal()[0])},
        headers=server.headers,
        timeout=20,
        verify=NO_TLS,
    ) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        lines = response.iter_lines()
        number, data = next(lines), next(lines)

    message = json.loads(data.removeprefix("data: "))
    assert number == f"id: {message['cursor']}"
    assert [row["id"] for row in message["tasks"]] == [str(task.pk)]


def test_polling_returns_the_same_messages(server):
    with server.client() as client:
        first = client.get("/console/changes").json()
        assert first == {"cursor": first["cursor"]}
        task = make_task()

        message = client.get("/console/changes", params=first).json()
        assert [row["id"] for row in message["tasks"]] == [str(task.pk)]

        after = {"cursor": message["cursor"]}
        assert "tasks" not in client.get("/console/changes", params=after).json()
