"""Bodies for commands that are no JSON, too large, too deep, or cannot be stored."""

import json

import pytest

from jobs.models import Job
from tests.jobs.command_calls import JOBS, Commands, Runner, command

pytestmark = pytest.mark.django_db

TEXTS = (
    *("name", "description", "source_type", "git_url", "git_ref", "source_path", "code_dir"),
    *("job_dir", "job_command", "runner_image", "job_env_file", "queue_name"),
)


@pytest.fixture
def commands():
    return Commands()


def refused(answer, status=400):
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert {"error", "message"} <= body.keys() <= {"error", "message", "details"}
    assert not Job.objects.exists()
    return body


@pytest.mark.parametrize("bad", ["\0", "x\0y", "\ud800"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_cannot_be_stored_is_named(commands, name, bad):
    body = refused(commands.submit(**{name: bad}))

    assert name in body["message"]


@pytest.mark.parametrize("wrong", [5, True, [], {}, ["x"]])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_another_type_is_named(commands, name, wrong):
    body = refused(commands.submit(**{name: wrong}))

    assert body["details"].keys() == {name}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("job_env_vars", {"A": None}),
        ("job_env_vars", {"A": "x\0"}),
        ("job_env_vars", {"A\0": "x"}),
        ("job_env_vars", ["A"]),
        ("job_env_vars", {f"A{n}": "" for n in range(201)}),
        ("job_env_secrets", "A"),
        ("requires", {"a": 1}),
        ("requires", {"a": "\ud800"}),
        ("priority", 2**31),
        ("priority", 1.5),
        ("timeout_seconds", 604_801),
        ("timeout_seconds", -1),
        ("max_attempts", 0),
    ],
)
def test_what_is_wrong_in_another_field_is_named(commands, name, wrong):
    assert name in refused(commands.submit(**{name: wrong}))["message"]


def test_names_of_fields_match_without_regard_to_case(commands):
    body = {name.upper(): value for name, value in command().items()}

    assert commands.send("POST", "", body).status_code == 201


def test_a_body_that_is_too_deep_or_too_large_is_refused(commands):
    start = json.dumps(command())[:-1]
    deep = f'{start}, "deep": {"[" * 500}{"]" * 500}}}'
    large = json.dumps(command(nonsense="x" * 2**21))

    for body, status in [(deep, 400), (large, 413)]:
        answer = commands.client.generic("POST", JOBS, body.encode(), "application/json")
        assert answer.status_code == status


def test_a_key_that_is_too_long_is_refused(commands):
    assert "Idempotency-Key" in refused(commands.submit(key="k" * 201))["message"]


def test_an_exit_that_cannot_be_is_refused(commands):
    commands.make()
    runner = Runner()
    task = runner.claim()
    for wrong in [
        {"status": "unheard of"},
        {"exit_code": "0"},
        {"exit_code": 2**40},
        {"commit_sha": "x" * 65},
        {"lease_epoch": 0},
        {"lease_epoch": None},
    ]:
        assert runner.exit(task, **wrong).status_code in {400, 403}, wrong
    assert runner.exit(task, "failed", error="\0 \ud800").status_code == 200
