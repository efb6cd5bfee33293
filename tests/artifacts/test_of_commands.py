"""Logs and files of commands under /api/v1/jobs/{id}: those of their tasks."""

import io
import zipfile

import pytest

from tests.artifacts.calls import Runner, body, lines, messages, sha256
from tests.jobs.command_calls import JOBS, Commands, task_of
from tests.jobs.command_calls import Runner as CommandRunner

pytestmark = pytest.mark.django_db


class OfCommand:
    """A command that a runner holds, and what may be read of it."""

    def __init__(self, client):
        self.client = client
        self.job = Commands(client).make()
        CommandRunner(client=client).claim()
        self.runner = Runner(client, task_of(self.job))

    def get(self, path, query=None, method="get", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        send = getattr(self.client, method)
        return send(f"{JOBS}/{self.job['job_id']}{path}", query, headers=named)


@pytest.fixture
def command(client):
    return OfCommand(client)


def test_the_log_of_a_command_is_that_of_its_task(command):
    command.runner.send("one", "two")
    command.runner.send("oops", stream="stderr")

    assert messages(command.get("/logs", {"limit": 9})) == ["one", "two", "oops"]
    assert lines(command.get("/logs", {"limit": 2})) == lines(command.runner.log(limit=2))
    assert messages(command.get("/logs", {"stream": "stderr", "limit": 9})) == ["oops"]


def test_the_files_of_a_command_are_those_of_its_task(command):
    command.runner.put("out/a b.txt", b"content")

    assert command.get("/artifacts").json() == command.runner.get("").json()
    got = command.get("/artifacts/out/a b.txt")
    assert (got.status_code, body(got)) == (200, b"content")
    head = command.get("/artifacts/out/a b.txt", method="head")
    assert (head.status_code, head["Content-Length"]) == (200, "7")
    with zipfile.ZipFile(io.BytesIO(body(command.get("/artifacts.zip")))) as archive:
        assert archive.read("out/a b.txt") == b"content"


def test_a_part_of_a_file_and_none_where_it_is_known(command):
    command.runner.put("a", b"content")

    part = command.get("/artifacts/a", Range="bytes=2-4")
    assert (part.status_code, body(part)) == (206, b"nte")
    assert command.get("/artifacts/a", Range="bytes=7-").status_code == 416
    known = command.get("/artifacts/a", If_None_Match=f'"{sha256(b"content")}"')
    assert (known.status_code, body(known)) == (304, b"")


def test_errors_are_flat_as_those_of_commands(command):
    answer = command.get("/artifacts/missing")

    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "message"}
