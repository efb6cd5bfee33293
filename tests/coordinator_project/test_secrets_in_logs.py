"""The shared token in the query of a stream is in no line of any log."""

import os
import pty
import re
import subprocess
import sys

import httpx
import pytest
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from coordinator_project.env import BASE_DIR
from tests.coordinator_project.running import environment, eventually
from tests.serving import NO_TLS, TOKEN, serving

WRONG = "hunter2-which-is-wrong"
BREAKS = """
from dashboard import frames, stream
def encoded(batch):
    raise RuntimeError("a stream that breaks")
frames.encoded = encoded
"""


@pytest.fixture
def asked(transactional_db):
    """Asks a server for streams with a token in the query, in every way that fails or succeeds."""

    def ask(server):
        for token in (TOKEN, WRONG):
            for path in ("/v1/stream", "/console/stream", "/console/changes", "/v1/tasks", "/no"):
                status_of(server, path, token=token, cursor="0")
            status_of(server, "/v1/stream", token=token, last_event_id="nonsense")
            status_of(server, "/v1/stream", host="elsewhere.example", token=token)
            status_of(server, "/v1/stream", method="POST", token=token)
            live(server, f"/console/live?{httpx.QueryParams(token=token)}")
            for name in ("token", "apikey"):
                named = {name: token}
                status_of(server, "/api/collab/events/stream", **named)
                status_of(server, "/functions/v1/job-events", id="nonsense", **named)
                live(server, f"/realtime/v1/websocket?{httpx.QueryParams(**named)}")

    return ask


def status_of(server, path, *, method="GET", host=None, **params):
    """Ask, and read what comes at once."""
    headers = {"Host": host} if host else {}
    try:
        with httpx.stream(
            method,
            server.url + path,
            params=params,
            headers=headers,
            timeout=30,
            verify=NO_TLS,
        ) as response:
            next(response.iter_raw(), b"")
            return response.status_code
    except httpx.HTTPError:
        return 0


def live(server, path):
    try:
        with connect(server.url.replace("http", "ws") + path) as socket:
            socket.recv(timeout=30)
    except (InvalidStatus, WebSocketException, TimeoutError):
        return


def secrets_in(text):
    encoded = (TOKEN, TOKEN.replace(" ", "+"), TOKEN.replace(" ", "%20"))
    return [one for one in (*encoded, WRONG) if one in text]


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_line_of_a_server_has_it(asked, level):
    with serving(COORDINATOR_LOG_LEVEL=level) as server:
        assert status_of(server, "/v1/stream", token=TOKEN) == 200
        assert status_of(server, "/v1/tasks", token=TOKEN) == 401
        asked(server)
        server.stop()
        log = "".join(server.errors)

    assert '"path": "/v1/stream"' in log
    assert secrets_in(log) == []


def test_no_line_of_a_stream_that_breaks_has_it(transactional_db):
    with serving(first=BREAKS, COORDINATOR_LOG_LEVEL="DEBUG") as server:
        status_of(server, "/v1/stream", token=TOKEN)
        eventually(lambda: "a stream that breaks" in "".join(server.errors))
        server.stop()
        log = "".join(server.errors)

    assert "Traceback" in log
    assert secrets_in(log) == []


ON_A_TERMINAL = """
import django
django.setup()
import logging
def fails(token):
    raise RuntimeError("broken on purpose")
try:
    fails("hunter2" + "-which-is-wrong")
except RuntimeError:
    logging.getLogger("coordinator").exception("broken")
ADDRESS = "/v1/stream?a=1&token=hunter2-which-is-wrong&b=2&sig=hunter2-which-is-wrong"
logging.getLogger("django.channels.server").info(
    "HTTP %(method)s %(path)s %(status)s",
    {"method": "GET", "path": ADDRESS, "status": 200},
)
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_neither_tracebacks_on_a_terminal_nor_lines_of_the_development_server_have_it(
    folder, terminal
):
    ours, theirs = pty.openpty()
    more = {"DJANGO_SETTINGS_MODULE": "coordinator_project.settings", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL],
        cwd=BASE_DIR,
        env=environment(folder, **more),
        stderr=theirs if terminal else subprocess.PIPE,
    )
    os.close(theirs)
    text = _read(ours) if terminal else process.stderr.read().decode()
    process.wait(30)
    os.close(ours)
    if not terminal:
        process.stderr.close()

    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "broken on purpose" in plain
    assert "/v1/stream?a=1&token=…&b=2&sig=…" in plain.replace("\\u2026", "…")
    assert WRONG not in plain


def _read(terminal):
    """All that is written to the terminal until nobody has it open."""
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces).decode()
