"""Commands are submitted, run, and end (seed 001; contract 001, section 6)."""

from uuid import UUID

import pytest

from jobs import progress
from jobs.models import Command, Job
from tasks import leases
from tasks.models import Task
from tests.accounts.tokens import client_of, issue
from tests.console.people import browser_of
from tests.factories import make_task
from tests.jobs.command_calls import QUEUE, Commands, Runner, command

pytestmark = pytest.mark.django_db


@pytest.fixture
def commands():
    return Commands()


def test_a_command_says_what_was_asked_for_and_all_defaults(commands):
    made = commands.make(
        name="tests",
        description="All of them",
        source_type="git",
        git_url="https://example.org/a.git",
        git_ref="main",
        job_command="make\nmake test",
    )

    assert UUID(made["job_id"])
    assert {name: made[name] for name in ("name", "description", "status", "git_url")} == {
        "name": "tests",
        "description": "All of them",
        "status": "queued",
        "git_url": "https://example.org/a.git",
    }
    assert (made["source_url"], made["source_ref"]) == (made["git_url"], made["git_ref"])
    assert (made["code_dir"], made["job_dir"]) == ("/job/src", "/job/src")
    assert (made["timeout_seconds"], made["priority"], made["queue_name"]) == (3600, 0, QUEUE)
    assert made["job_command"] == "make\nmake test"
    assert (made["exit_code"], made["started_at"], made["completed_at"]) == (None, None, None)
    assert commands.get(made["job_id"]) == made


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"source_type": None}, "source_type"),
        ({"source_type": "svn"}, "source_type"),
        ({"job_command": ""}, "job_command"),
        ({"job_command": " \n"}, "job_command"),
        ({"source_type": "git"}, "git_url"),
        ({"source_type": "git", "git_url": "--upload-pack=x"}, "git_url"),
        ({"source_type": "git", "git_url": "https://a", "git_ref": "-x"}, "git_ref"),
        ({"source_type": "git", "git_url": "a", "source_url": "b"}, "source_url"),
        ({"source_type": "git", "git_url": "user:word@host/a"}, "git_url"),
        ({"source_type": "git", "source_url": "https://user:wo/rd@host/a"}, "git_url"),
        ({"source_type": "copy"}, "source_path"),
        ({"job_env_vars": {"A": 1}}, "job_env_vars"),
        ({"job_env_vars": {"A B": "1"}}, "job_env_vars"),
        ({"job_env_secrets": ["A"]}, "job_env_secrets"),
        ({"job_env_file": "/etc/passwd"}, "job_env_file"),
        ({"job_env_file": "./job/../x"}, "job_env_file"),
        ({"code_dir": "/etc"}, "code_dir"),
        ({"job_dir": "/job/../etc"}, "job_dir"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": "5"}, "timeout_seconds"),
        ({"queue_name": "a b"}, "queue_name"),
        ({"max_attempts": 11}, "max_attempts"),
    ],
)
def test_what_is_wrong_with_a_command_is_said_of_its_field(commands, fields, wrong):
    answer = commands.submit(**fields)

    assert answer.status_code == 400
    body = answer.json()
    assert body["error"] == "invalid_input"
    assert list(body["details"]) == [wrong]
    assert not Job.objects.exists()


def test_a_command_is_told_from_a_sweep_by_its_fields(commands):
    assert commands.send("POST", "", {"algorithms": []}).json()["success"] is False
    assert commands.send("POST", "", {"job_command": "x"}).json()["error"] == "invalid_input"


def test_a_runner_gets_what_it_needs_and_its_report_ends_the_command(commands):
    made = commands.make(
        source_type="git",
        git_url="https://example.org/a.git",
        job_env_vars={"A": " b "},
        timeout_seconds=7,
    )
    runner = Runner()

    task = runner.claim()

    assert task["type"] == "command"
    assert task["payload"] == {
        "job_id": made["job_id"],
        "queue_name": QUEUE,
        "command": "make",
        "source": {"type": "git", "url": "https://example.org/a.git", "ref": "", "path": ""},
        "code_dir": "/job/src",
        "job_dir": "/job/src",
        "image": "",
        "environment": {"A": " b "},
        "secret_names": [],
        "environment_file": "",
        "timeout_seconds": 7,
        "grace_seconds": 60,
    }
    running = commands.get(made["job_id"])
    assert (running["status"], running["worker_id"]) == ("running", "runner-1")
    assert running["started_at"]

    answer = runner.exit(task, commit_sha="abc")

    assert answer.status_code == 200, answer.content
    ended = commands.get(made["job_id"])
    assert answer.json() == {"job": ended}
    assert (ended["status"], ended["exit_code"], ended["commit_sha"]) == ("completed", 0, "abc")
    assert ended["completed_at"]


@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        ({"status": "failed", "exit_code": 3}, "failed", "exit code 3"),
        ({"status": "failed", "exit_code": None, "error": "no source"}, "failed", "no source"),
        ({"status": "timeout", "exit_code": 143}, "timeout", "timed out"),
        ({"status": "cancelled", "exit_code": 143}, "failed", "cancelled"),
    ],
)
def test_a_command_that_does_not_complete_says_why(commands, said, status, error):
    made = commands.make()
    runner = Runner()
    task = runner.claim()

    assert runner.exit(task, **said).status_code == 200

    ended = commands.get(made["job_id"])
    assert (ended["status"], ended["last_error"]) == (status, error)
    assert ended["exit_code"] == said["exit_code"]
    assert ended["completed_at"]


def test_a_repeated_report_changes_nothing_and_another_is_refused(commands):
    made = commands.make()
    runner = Runner()
    task = runner.claim()
    runner.exit(task, "failed", exit_code=3)
    before = commands.get(made["job_id"])

    assert runner.exit(task, "failed", exit_code=3).status_code == 200
    assert runner.exit(task).status_code == 409
    assert commands.get(made["job_id"]) == before


def test_completed_with_an_exit_code_is_refused(commands):
    commands.make()
    runner = Runner()

    assert runner.exit(runner.claim(), exit_code=1).status_code == 400


def test_only_the_task_of_a_command_exits(commands):
    runner = Runner()
    unknown = {"status": "completed", "exit_code": 0, "lease_epoch": 1}
    made = make_task()

    assert runner.post(f"tasks/{made.pk}/exit", unknown).status_code == 400
    assert runner.post(f"tasks/{UUID(int=1)}/exit", unknown).status_code == 404


def test_the_same_key_gives_the_first_command(commands):
    first = commands.make(key="k", job_env_vars={"A": "1"}, job_env_secrets=["A"])

    again = commands.submit(key="k", job_env_vars={"A": "1"}, job_env_secrets=["A"])
    other = commands.submit(key="k", job_env_vars={"A": "2"}, job_env_secrets=["A"])

    assert (again.status_code, again.json()) == (200, first)
    assert (other.status_code, other.json()["error"]) == (409, "idempotency_key_used")
    assert Command.objects.count() == Task.objects.count() == 1


def test_a_waiting_command_is_cancelled_at_once(commands):
    for method in ("PUT", "POST"):
        made = commands.make()

        answer = commands.send(method, f"/{made['job_id']}/cancel")

        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["last_error"]) == ("cancelled", "cancelled")
        assert answer.json()["completed_at"]
        again = commands.send(method, f"/{made['job_id']}/cancel")
        assert (again.status_code, again.json()["error"]) == (409, "conflict")


def test_a_running_command_is_asked_to_stop_then_cancelled(commands):
    made = commands.make()
    runner = Runner()
    task = runner.claim()

    answer = commands.send("PUT", f"/{made['job_id']}/cancel")

    assert answer.json()["status"] == "cancelling"
    assert commands.send("PUT", f"/{made['job_id']}/cancel").status_code == 409
    assert runner.beat(tasks=[task["id"]])["cancel_asked"] == [task["id"]]
    runner.exit(task, "cancelled", exit_code=143)
    ended = commands.get(made["job_id"])
    assert (ended["status"], ended["exit_code"]) == ("cancelled", 143)
    assert ended["completed_at"]


def test_a_command_that_completes_while_it_is_cancelled_is_completed(commands):
    made = commands.make()
    runner = Runner()
    task = runner.claim()
    commands.send("PUT", f"/{made['job_id']}/cancel")

    runner.exit(task)

    assert commands.status(made["job_id"]) == "completed"


def test_kill_ends_a_command_at_once_also_one_that_is_cancelling(commands):
    for asked in (False, True):
        made = commands.make()
        runner = Runner()
        task = runner.claim()
        if asked:
            commands.send("PUT", f"/{made['job_id']}/cancel")

        answer = commands.send("POST", f"/{made['job_id']}/kill")

        assert answer.json()["status"] == "cancelled"
        assert answer.json()["last_error"] == "killed by admin"
        assert runner.beat(tasks=[task["id"]])["lost"] == [task["id"]]
        assert runner.exit(task, "failed").status_code == 409
        assert commands.send("POST", f"/{made['job_id']}/kill").status_code == 409


def test_a_retry_is_a_new_command_like_the_first(commands):
    made = commands.make(
        job_env_vars={"A": "1", "B": "secret"},
        job_env_secrets=["B"],
        requires={"zone": "a"},
        priority=5,
        max_attempts=2,
    )
    runner = Runner(zone=["a"])
    assert commands.send("POST", f"/{made['job_id']}/retry").status_code == 409
    task = runner.claim()
    runner.exit(task, "failed", exit_code=3)

    answer = commands.send("POST", f"/{made['job_id']}/retry")

    assert answer.status_code == 201
    new = answer.json()
    fresh = ("job_id", "task_id", "created_at", "updated_at", "parent_job_id", "retry_count")
    assert {k: v for k, v in new.items() if k not in fresh} == {
        k: v for k, v in made.items() if k not in fresh
    }
    assert (new["parent_job_id"], new["retry_count"]) == (made["job_id"], 1)
    assert commands.status(made["job_id"]) == "failed"
    again = runner.claim()
    assert again["payload"] == task["payload"] | {"job_id": new["job_id"]}
    assert runner.by_lease(again, "secrets").json() == {"secrets": {"B": "secret"}}


def test_a_command_is_deleted_once_it_has_ended(commands):
    made = commands.make()
    runner = Runner()
    assert commands.send("DELETE", f"/{made['job_id']}").status_code == 409
    task = runner.claim()
    assert commands.send("DELETE", f"/{made['job_id']}").status_code == 409
    runner.exit(task)

    assert commands.send("DELETE", f"/{made['job_id']}").status_code == 204

    assert commands.send("GET", f"/{made['job_id']}").status_code == 404
    assert not Task.objects.exists()


def test_ids_that_are_none_are_not_found(commands):
    for path in ("/nope", f"/{UUID(int=1)}", "/job-x"):
        assert commands.send("GET", path).status_code == 404
        assert commands.send("PUT", f"{path}/cancel").status_code == 404
        assert commands.send("DELETE", path).status_code == 404


def test_a_command_has_no_results_and_a_sweep_is_not_killed(commands, sweeps):
    made, sweep = commands.make(), sweeps.of(1)

    assert commands.send("GET", f"/{made['job_id']}/results").status_code == 404
    assert commands.send("POST", f"/{sweep}/kill").status_code == 404


def test_jobs_are_listed_with_their_number_and_filters(commands, sweeps):
    first = commands.make(queue_name="a", source_type="copy", source_path="/x")
    second = commands.make(queue_name="b", name="other")
    sweep = sweeps.of(1)
    commands.send("PUT", f"/{first['job_id']}/cancel")

    def ids(**query):
        answer = commands.listed(**query)
        assert answer.status_code == 200, answer.content
        body = answer.json()
        found = [job.get("job_id") or job["jobId"] for job in body["jobs"]]
        assert body["total"] == len(found)
        return found

    assert ids() == [sweep, second["job_id"], first["job_id"]]
    assert ids(offset=0) == ids()
    assert ids(kind="command") == [second["job_id"], first["job_id"]]
    assert ids(status="queued") == [second["job_id"]]
    assert ids(status="CANCELLED") == [first["job_id"]]
    assert ids(status="pending") == [sweep]
    assert ids(queue_name="b") == [second["job_id"]]
    assert ids(source_type="copy") == [first["job_id"]]
    assert ids(name="othe") == [second["job_id"]]
    assert ids(user_id=UUID(int=7)) == []
    page = commands.listed(limit=1, offset=1).json()
    assert (page["total"], page["limit"], page["offset"]) == (3, 1, 1)
    assert [job["job_id"] for job in page["jobs"]] == [second["job_id"]]


def test_a_command_that_is_deleted_while_it_is_listed_is_left_out(commands, sweeps):
    commands.make()
    sweeps.of(1)
    rows = list(Job.objects.counted())
    Job.objects.filter(kind="command").delete()

    assert [job.kind for job in progress.with_particulars(rows)] == ["sweep"]


@pytest.mark.parametrize("query", ["status=x", "kind=x", "source_type=svn", "limit=x", "offset=-1"])
def test_a_filter_that_nothing_can_match_is_refused(commands, query):
    answer = commands.send("GET", f"?{query}")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_input")


def test_a_lost_runners_command_is_failed_or_tried_again(commands):
    once, twice = commands.make(name="once"), commands.make(name="twice", max_attempts=2)
    runner = Runner()
    [first, second] = [runner.claim(), runner.claim()]
    runner.beat(tasks=[first["id"], second["id"]])
    Task.objects.filter(type="command").update(lease_expires_at="2020-01-01T00:00:00Z")

    leases.expire_leases()

    ended = commands.get(once["job_id"])
    assert (ended["status"], ended["last_error"]) == ("failed", "worker lost")
    assert commands.status(twice["job_id"]) == "queued"
    again = Runner("runner-2").claim()
    assert again["id"] == second["id"]


def test_the_channel_of_sweeps_is_no_queue_of_commands(commands, sweeps):
    sweeps.of(1)

    answer = commands.submit(queue_name="Sweeps")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_input")


def test_a_command_too_large_for_a_task_is_refused(commands):
    values = {f"A{n}": "x" * 90_000 for n in range(4)}

    assert commands.submit(job_env_vars=values).status_code == 413
    assert not Job.objects.exists()


def test_a_body_that_is_no_object_is_refused(commands):
    for raw in (b"[]", b"{", b'{"job_command": "a"} x'):
        answer = commands.client.generic("POST", "/api/v1/jobs", raw, "application/json")
        assert answer.status_code == 400


def test_the_admin_shows_what_a_command_came_to(commands):
    made = commands.make(job_command="make <all>")
    runner = Runner()
    runner.exit(runner.claim(), "failed", exit_code=37)

    page = browser_of("Operator").get(f"/admin/jobs/job/{made['job_id']}/change/").content.decode()

    assert "make &lt;all&gt;" in page
    assert "exit code 37" in page
    assert f"/#/run/{made['task_id']}" in page


def test_without_a_credential_it_is_401_in_the_form_of_commands(commands):
    secret = issue(user=None, agent="x").secret

    for method, path in [("GET", ""), ("POST", ""), ("GET", f"/{UUID(int=1)}")]:
        answer = commands.send(method, path, command() if method == "POST" else None)
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert client_of(secret).get("/api/v1/jobs").status_code == 403
