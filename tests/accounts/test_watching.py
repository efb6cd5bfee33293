"""Those who wait are sent away within five seconds, once their credential is not valid any more."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from django.test import Client
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from accounts import transitions
from accounts.models import User
from tests.accounts.tokens import ADMINISTRATOR, issue, of_agent, of_person
from tests.console.people import make_person
from tests.factories import fresh, make_channel
from tests.serving import NO_TLS, serving

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = 5.0
LATER = 1.5  # seconds for a test to see that nothing ends by itself


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), serving() as server:
        yield server


def revoke(token):
    transitions.revoke(token.pk, by=ADMINISTRATOR, reason="a test")


@contextmanager
def streaming(server, path, **headers):
    """The lines of a stream."""
    with httpx.stream(
        "GET", server.url + path, headers=headers, timeout=20, verify=NO_TLS
    ) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        next(lines)
        yield lines


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def seconds_until(end):
    """How long it takes until a wait has ended; it must not have ended by itself."""
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(end)
        time.sleep(LATER)
        assert not ending.done()
        started = time.monotonic()
        yield
        ending.result(20)
        yield time.monotonic() - started


def ends_soon(end, change):
    waiting = seconds_until(end)
    next(waiting)
    change()
    assert next(waiting) < WITHIN
    waiting.close()


@pytest.mark.parametrize("path", ["/v1/stream", "/console/stream"])
def test_a_stream_ends_when_its_token_is_revoked(server, path):
    token, secret = of_person("Viewer")
    with streaming(server, path, **bearer(secret)) as lines:
        ends_soon(lambda: list(lines), lambda: revoke(token))

    time.sleep(0.1)
    again = httpx.get(server.url + path, headers=bearer(secret), verify=NO_TLS)
    assert again.status_code == 401


def test_a_token_in_the_query_is_for_streams_and_ends_alike(server):
    token, secret = of_person("Viewer")
    with streaming(server, f"/v1/stream?token={secret}") as lines:
        ends_soon(lambda: list(lines), lambda: revoke(token))
    server.stop()
    assert secret not in "".join(server.errors)
    server.start()


def test_a_socket_is_closed_with_the_reason(server):
    token, secret = of_person("Viewer")
    url = server.url.replace("http", "ws") + "/console/live"
    with connect(url, additional_headers=bearer(secret), compression=None) as socket:
        socket.recv(10)
        ends_soon(lambda: read_to_the_end(socket), lambda: revoke(token))

        assert socket.close_code == 4401
        assert socket.close_reason == "The credential is not valid any more."


def test_no_socket_is_for_agents(server):
    url = server.url.replace("http", "ws") + "/console/live"
    with connect(url, additional_headers=bearer(of_agent().secret), compression=None) as socket:
        read_to_the_end(socket)

        assert socket.close_code == 4403


def read_to_the_end(socket):
    try:
        while True:
            socket.recv(20)
    except ConnectionClosed:
        return


@pytest.mark.parametrize("make", [lambda: of_person("Operator"), lambda: of_agent("agent-1")])
def test_a_waiting_claim_is_refused(server, make):
    channel = make_channel()
    token, secret = make()
    answers = []

    def claim():
        body = {"agent_id": "agent-1", "channel": channel.name}
        answers.append(
            httpx.post(
                f"{server.url}/v1/tasks/claim?wait_seconds=20",
                json=body,
                headers=bearer(secret),
                timeout=30,
                verify=NO_TLS,
            )
        )

    ends_soon(claim, lambda: revoke(token))

    [answer] = answers
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "The credential is not valid any more."


def test_a_person_who_is_not_active_any_more_and_one_who_has_lost_a_right(server):
    person, other = make_person("Viewer"), make_person("Operator")
    issue(user=other)  # so that no session is as good as this machine
    with (
        streaming(server, "/v1/stream", **session_of(person)) as first,
        streaming(server, "/v1/stream", **session_of(other)) as second,
    ):
        ends_soon(
            lambda: list(first), lambda: User.objects.filter(pk=person.pk).update(is_active=False)
        )
        ends_soon(lambda: list(second), lambda: other.groups.clear())


def session_of(person):
    browser = Client()
    browser.force_login(person)
    return {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}


def test_who_keeps_the_credential_goes_on(server):
    token, secret = of_person("Viewer")
    other, _ = of_agent()
    with streaming(server, "/v1/stream", **bearer(secret)) as lines:
        waiting = seconds_until(lambda: list(lines))
        next(waiting)
        revoke(other)
        time.sleep(WITHIN)
        make_channel()
        revoke(token)
        assert next(waiting) > WITHIN
    assert fresh(token).last_used_at


def test_in_protected_mode_a_stream_ends_when_the_first_token_is_made():
    with serving(COORDINATOR_AUTH_TOKEN="") as server, streaming(server, "/v1/stream") as lines:
        ends_soon(lambda: list(lines), of_agent)
