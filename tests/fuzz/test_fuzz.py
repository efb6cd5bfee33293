"""A short pass of script/fuzz, and that it finds what is wrong."""

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest
from schemathesis.checks import load_all_checks
from schemathesis.engine import from_schema

from coordinator_project.env import BASE_DIR
from fuzz import particulars
from fuzz.roles import AGENT, ROLES
from fuzz.run import Pass, follow
from fuzz.traces import Change, beyond, nothing, of_agent, own_tokens, steering

SECRET = "a-secret-of-the-run"


@pytest.mark.timeout(300)
def test_a_short_pass_of_each_role_is_clean():
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--minutes", "0.25", "--seed", "11"],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "Seed 11: clean." in done.stdout
    assert all(f"{role}: " in done.stdout for role in ROLES)


def operation():
    body = {"type": "object", "properties": {"a": {"type": "integer"}}}
    content = {"application/json": {"schema": body}}
    answer = {"description": "", "content": content}
    body["additionalProperties"] = False
    security = [{"bearer": []}, {}]
    refused = {"description": ""}
    return {"get": {"responses": {"200": answer, "401": refused}, "security": security}}


SCHEMA = {
    "openapi": "3.1.0",
    "info": {"title": "Faults", "version": "1"},
    "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    "paths": {
        "/crashes": operation(),
        "/says/more": operation(),
        "/has/another/status": operation(),
        "/lets/everybody/in": operation(),
        "/fine": operation(),
    },
}
KINDS = (
    "tasks",
    "chains",
    "channels",
    "channel_names",
    "agents",
    "jobs",
    "tokens",
    "verbs",
    "kinds",
    "letters",
    "objects",
)
FOUND = {
    "GET /crashes": "not_a_server_error",
    "GET /says/more": "response_schema_conformance",
    "GET /has/another/status": "status_code_conformance",
    "GET /lets/everybody/in": "ignored_auth",
}


class Faulty(BaseHTTPRequestHandler):
    """A server with one fault on each path."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        known = SECRET in self.headers.get("Authorization", "")
        status = {"/crashes": 500, "/has/another/status": 404}.get(path, 200)
        if not known and path != "/lets/everybody/in":
            status = 401
        self.answer(status, {"b": 1} if path == "/says/more" else {"a": 1})

    def refuse(self):
        self.answer(405, {})

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.refuse
        raise AttributeError(name)

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Allow", "GET")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing: the output is the test's."""


@contextmanager
def faulty():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Faulty)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_each_kind_of_fault_is_found_and_shown_without_the_secret():
    load_all_checks()
    ids = {kind: ["x"] for kind in KINDS}
    role = ROLES["support"]
    settings = particulars.config(role, f"Bearer {SECRET}", ids, seed=1, seconds=5)
    made = Pass(role.name)

    with faulty() as url:
        schema = particulars.load(SCHEMA, settings, url, "", ids, [])
        follow(made, from_schema(schema).execute())

    for where, check in FOUND.items():
        found = [one for (label, _), one in made.findings.items() if label == where]
        assert any(one.what.startswith(check) for one in found), (where, found)
        assert all("curl" in one.request and SECRET not in one.request for one in found)
    assert {where for where, _ in made.findings} == FOUND.keys()


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        ({"channel": "x"}, {"channel": "channel 1"}),
        ({"channel": 7}, {"channel": 7}),
        (
            {"inner": [{"task_id": "x"}, {"other": "x"}]},
            {"inner": [{"task_id": "4711"}, {"other": "x"}]},
        ),
        ({"task_id": 7}, {"task_id": 4711}),
    ],
)
def test_names_in_a_body_become_known_ones_of_their_kind(body, becomes, monkeypatch):
    monkeypatch.setattr(particulars, "MOSTLY", 1)
    ids = {kind: ["channel 1" if "channel" in kind else "4711"] for kind in KINDS}

    assert particulars.with_ids(body, ids, Random(1)) == becomes  # noqa: S311


def row(table, before=None, after=None):
    return Change(table, "1", before, after)


@pytest.mark.parametrize(
    ("change", "may"),
    [
        (row("tasks_task", {"agent_id": AGENT}, {"agent_id": None}), True),
        (row("tasks_task", {"agent_id": None}, {"last_holder": AGENT}), True),
        (row("tasks_task", {"agent_id": "other"}, {"agent_id": None}), False),
        (row("tasks_task", None, {"agent_id": AGENT}), False),
        (row("chains_chain", {"owner_id": "other"}, {"owner_id": None}), False),
        (row("events_event", None, {"actor": f"agent:{AGENT}"}), True),
        (row("events_event", None, {"actor": "agent:other", "agent_id": "other"}), False),
        (row("tasks_channel", None, {"name": "new"}), False),
        (Change("agents_agent", AGENT, {"name": ""}, {"name": "me"}), True),
        (Change("agents_agent", AGENT, {"name": ""}, None), False),
        (Change("agents_agent", "other", {"name": ""}, {"name": "me"}), False),
    ],
)
def test_what_an_agent_may_change(change, may):
    assert of_agent(change, AGENT) == may


@pytest.mark.parametrize(
    ("change", "may"),
    [
        (row("tasks_task", None, {"title": "new"}), True),
        (row("accounts_user", {"is_superuser": False}, {"is_superuser": True}), False),
        (row("accounts_apitoken", {"user_id": "me"}, {"user_id": "me", "revoked_at": "now"}), True),
        (row("accounts_apitoken", {"user_id": "you"}, {"revoked_at": "now"}), False),
        (row("accounts_apitoken", None, {"agent": "a", "is_login": False}), False),
        (row("agents_agent", {"name": ""}, None), False),
    ],
)
def test_what_those_who_operate_may_change(change, may):
    assert steering(change, "me") == may


def test_who_only_looks_may_only_revoke_tokens_of_their_own():
    revoked = row("accounts_apitoken", {"user_id": "me"}, {"user_id": "me", "revoked_at": "now"})

    assert own_tokens(revoked, "me")
    assert own_tokens(row("events_operatoraction", None, {"user_id": "me"}), "me")
    assert not own_tokens(revoked, "you")
    assert not own_tokens(row("accounts_apitoken", None, {"user_id": "me"}), "me")
    assert not own_tokens(row("tasks_task", {"status": "queued"}, {"status": "done"}), "me")


def test_what_everybody_may_do_is_no_change_beyond():
    before = {"accounts_user": {}, "accounts_apitoken": {}, "tasks_task": {"1": {"title": "t"}}}
    after = {
        "accounts_user": {"2": {"username": "new"}},
        "accounts_apitoken": {"3": {"is_login": True}, "4": {"is_login": False}},
        "tasks_task": {},
    }

    found = beyond(nothing, "", before, after)

    assert [(one.table, one.key) for one in found] == [
        ("accounts_apitoken", "4"),
        ("tasks_task", "1"),
    ]
