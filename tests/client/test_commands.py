"""The command line, as a script uses it: output, exit codes, no traceback, no secret."""

import json
import os
import re
import subprocess
import sys
import threading

import pytest
import typer

from coordinator_client import Coordinator
from coordinator_client.commands import jobs, main
from coordinator_client.commands.jobs import fetch
from tests.client.agents import running_agent
from tests.client.gateway import TOKEN
from tests.client.runners import bench, numbers
from tests.coordinator_project.running import eventually, free_port


class Said:
    def __init__(self, code, output, errors):
        self.code = code
        self.output = output
        self.errors = errors
        assert TOKEN not in output + errors
        assert "Traceback" not in errors

    @property
    def json(self):
        assert self.code == 0, self.errors
        return json.loads(self.output)

    @property
    def line(self):
        assert self.code == 0, self.errors
        return self.output.strip()


@pytest.fixture
def run(monkeypatch, capsys, shared):
    """Run `coordinator` with these arguments."""
    monkeypatch.setenv("COORDINATOR_URL", shared.url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["coordinator", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return Said(caught.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def channel(shared):
    with Coordinator(shared.url) as client:
        return client.create_channel(f"cli-{next(numbers)}").name


def test_tasks_are_added_shown_explained_and_cancelled(run, channel, tmp_path):
    (tmp_path / "payload").write_text('{"n": 5}')
    task_id = run("task", "add", "One", "-c", channel, "--payload", f"@{tmp_path}/payload").line

    shown = run("task", "show", task_id, "--json").json
    assert (shown["title"], shown["payload"]) == ("One", {"n": 5})
    assert "queued" in run("task", "show", task_id).output
    (listed,) = run("task", "list", "-c", channel, "--json").json["tasks"]
    assert listed["id"] == task_id
    assert "One" in run("task", "list", "-c", channel).output
    assert run("task", "why", task_id, "--json").json["why"][0]["code"] == "no_agents"
    assert "queued" in run("task", "why", task_id).output
    assert run("task", "cancel", task_id).line == "cancelled"


def test_a_list_goes_on_from_its_cursor(run, channel):
    for n in range(3):
        run("task", "add", n, "-c", channel)

    first = run("task", "list", "-c", channel, "--limit", 2, "--json").json
    rest = run("task", "list", "-c", channel, "--cursor", first["next_cursor"], "--json").json

    assert [task["title"] for task in first["tasks"] + rest["tasks"]] == ["0", "1", "2"]
    assert "next_cursor" not in rest


def test_chains(run, channel):
    chain_id = run("chain", "add", "Steps", "-c", channel, "--on-failure", "stop").line
    run("task", "add", "First", "-c", channel, "--chain", chain_id)

    shown = run("chain", "show", chain_id, "--json").json
    assert shown["chain"]["on_failure"] == "stop"
    assert [task["title"] for task in shown["tasks"]] == ["First"]
    assert "First" in run("chain", "show", chain_id).output
    assert chain_id in run("chain", "list", "--limit", 500).output
    assert run("chain", "detach", chain_id, "--agent", "nobody").code == 4
    assert run("chain", "delete", chain_id).code == 0
    assert run("chain", "show", chain_id).code == 3


def test_a_job_that_is_waited_for_decides_the_exit_code(run, shared, monkeypatch):
    monkeypatch.setenv("DEPLOY_KEY", "sesame-99")
    with bench(shared) as runner:
        on = ("-q", runner.queue)
        command = 'echo "$GREETING $DEPLOY_KEY"; echo x > "$COORDINATOR_ARTIFACTS/a.txt"'
        good = run(
            *("job", "submit", command, *on, "--wait", "--json"),
            *("-e", "GREETING=hello", "--secret", "DEPLOY_KEY", "--name", "greet"),
        ).json
        bad = run("job", "submit", "exit 3", *on, "--wait")

    assert (good["status"], good["name"], good["exit_code"]) == ("completed", "greet", 0)
    assert good["job_env_vars"] == {"GREETING": "hello", "DEPLOY_KEY": "[REDACTED]"}
    assert bad.code == 1
    assert "exit code 3" in bad.errors
    job_id = good["job_id"]
    assert run("job", "logs", job_id).output == "hello [REDACTED]\n"
    assert run("job", "logs", job_id, "-f").output == "hello [REDACTED]\n"
    (entry,) = map(json.loads, run("job", "logs", job_id, "--json").output.splitlines())
    assert (entry["stream"], entry["message"]) == ("stdout", "hello [REDACTED]")
    (file,) = run("job", "artifacts", job_id, "--json").json["artifacts"]
    assert file["path"] == "a.txt"


def test_artifacts_are_downloaded_and_stay_in_their_folder(run, shared, tmp_path):
    with bench(shared) as runner:
        job, _ = runner.do(
            'mkdir "$COORDINATOR_ARTIFACTS/a"; echo x > "$COORDINATOR_ARTIFACTS/a/b"'
        )

    assert run("job", "artifacts", job.job_id, "--download", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "a" / "b").read_text() == "x\n"
    assert (tmp_path / "out" / "a" / "b").stat().st_mode & 0o777 == 0o666 & ~umask()
    assert run("job", "artifacts", job.job_id, "a/b", "a/c", "--download", tmp_path).code == 3
    for path in ("../escaped", "/escaped", "a/../../escaped"):
        with Coordinator() as client, pytest.raises(typer.BadParameter):
            fetch(client, job.job_id, path, tmp_path / "out")


def test_jobs_are_listed_cancelled_and_retried(run):
    queue = f"queue-{next(numbers)}"
    job_id = run("job", "submit", "make", "-q", queue, "--label", "os=linux", "--timeout", 5).line

    shown = run("job", "show", job_id, "--json").json
    assert (shown["requires"], shown["timeout_seconds"]) == ({"os": "linux"}, 5)
    (listed,) = run("job", "list", "-q", queue, "--json").json["jobs"]
    assert listed["job_id"] == job_id
    assert queue in run("queue", "list").output
    assert "no_agents" in run("job", "why", job_id, "--json").output
    assert "Start an agent" in run("job", "why", job_id).output
    assert run("job", "cancel", job_id).line == "cancelled"
    again = run("job", "retry", job_id).line
    assert run("job", "show", again, "--json").json["parent_job_id"] == job_id
    assert run("job", "kill", again).line == "cancelled"
    assert run("job", "cancel", again).code == 4


def test_sweeps(run):
    one = {"min": 1, "max": 2, "step": 1}
    program = {"jarPath": "/opt/a.jar", "mainClass": "Main", "algorithms": ["PSO"]}
    specification = json.dumps(program | dict.fromkeys(("iterations", "agents", "dimension"), one))

    assert run("sweep", "submit", specification, "--dry-run").line == "8 tasks"
    sweep_id = run("sweep", "submit", specification).line
    assert run("sweep", "show", sweep_id, "--json").json["totalTasks"] == 8
    assert "PENDING" in run("sweep", "show", sweep_id).output
    assert run("sweep", "results", sweep_id, "--json").json["totalCompleted"] == 0


def test_tokens_are_shown_once(run, shared):
    name = f"runner-{next(numbers)}"
    made = run("token", "create", name, "--agent-prefix", "ci-", "--channel", "builds")

    assert re.fullmatch(r"coordinator_[0-9a-f]{64}", made.line)
    listed = run("token", "list", "--all", "--json")
    (token,) = [one for one in listed.json["tokens"] if one["name"] == name]
    assert made.line not in listed.output
    assert run("token", "revoke", token["token_id"]).code == 0


def test_scopes_of_a_token_are_sent(run, shared):
    """The shared token is no user and could make none that is limited."""
    made = run("token", "create", "reader", "--agent", "a", "--scope", "read", "--scope", "sign")

    assert "scopes is not for tokens of agents" in made.errors


def test_the_status_shows_tasks_queues_and_agents(run, shared, channel):
    with running_agent(shared.url, channel, lambda _: None, agent_id="seen-by-status"):
        eventually(lambda: "seen-by-status" in run("status", "--once").output)

    found = run("status", "--json").json
    assert found.keys() == {"counts", "agents", "queues"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["task", "show", "00000000-0000-0000-0000-000000000000"], 3),
        (["job", "show", "00000000-0000-0000-0000-000000000000"], 3),
        (["task", "add", "x", "-c", "no-such-channel"], 3),
        (["task", "add", "x", "-c", "y", "--payload", "[]"], 2),
        (["task", "add", "x", "-c", "y", "--payload", "@/no/such/file"], 2),
        (["job", "submit", "true", "-e", "no-value"], 2),
        (["job", "submit", "true", "--secret", "NO_SUCH_VARIABLE"], 2),
        (["job", "submit", "true", "--git", "-x"], 4),
        (["job", "submit", "true", "--git", "/a", "--copy", "/a"], 2),
        (["job", "submit", "true", "--ref", "main"], 2),
        (["job", "why", "00000000-0000-0000-0000-000000000000"], 3),
        (["task", "list", "--limit", "0"], 2),
        (["no-such-command"], 2),
        ([], 2),
    ],
)
def test_exit_codes_say_what_went_wrong(run, arguments, code):
    said = run(*arguments)

    assert said.code == code
    assert said.errors or not arguments


def test_a_server_that_does_not_answer_is_5(run):
    said = run("--url", f"http://127.0.0.1:{free_port()}", "status", "--once")

    assert said.code == 5
    first, last = said.errors.splitlines()
    assert first.startswith("no answer from")
    assert first.endswith("; trying again")
    assert last.startswith("error: no answer from")


def test_a_wrong_token_is_4(run, monkeypatch):
    monkeypatch.setenv("COORDINATOR_TOKEN", "wrong")

    said = run("task", "list")

    assert said.code == 4
    assert "Invalid or expired token" in said.errors
    assert "COORDINATOR_TOKEN" in said.errors


def test_a_secret_that_is_written_instead_of_named_is_not_repeated(run):
    said = run("job", "submit", "true", "--secret", "KEY=sesame-99")

    assert said.code == 2
    assert "sesame" not in said.errors


def test_a_reason_is_said_once(run):
    said = run("job", "submit", "true", "--timeout", 999_999)

    assert said.errors == "error: timeout_seconds must be from 1 to 604800\n"


def test_what_comes_from_elsewhere_does_not_steer_the_terminal(run, channel):
    run("task", "add", "\x1b[31mred\x1b]0;title\x07", "-c", channel)

    assert "\x1b" not in run("task", "list", "-c", channel).output


EXEC = (
    'read payload; [ "$payload" = "$COORDINATOR_PAYLOAD" ] || exit 9; '
    'echo "working"; echo "{\\"is\\": $payload}"'
)


@pytest.mark.parametrize(
    ("command", "status", "result"),
    [
        (EXEC, "done", {"is": {"n": 1}}),
        ("echo plain; echo text", "done", "plain\ntext"),
        ("true", "done", None),
        ("echo broken >&2; exit 3", "failed", None),
        ('[ -z "$COORDINATOR_TOKEN" ]', "done", None),
    ],
)
def test_an_agent_runs_a_program_for_each_task(shared, channel, command, status, result):
    with Coordinator(shared.url) as client:
        task = client.create_task("x", channel=channel, payload={"n": 1}, max_attempts=1)
        with agent_process(shared.url, "-q", channel, "--exec", command) as process:
            found = eventually(
                lambda: (t := client.task(task.id)).status in {"done", "failed"} and t, 20
            )
            process.terminate()
            assert process.wait(20) == 0

    assert (found.status, found.result) == (status, result)
    if status == "failed":
        assert found.fail_reason == "exit code 3: broken"


def test_an_agent_runs_the_commands_of_a_queue(shared, run):
    queue = f"queue-{next(numbers)}"
    options = ("-q", queue, "--concurrency", "2", "--label", "os=linux")
    with agent_process(shared.url, *options) as process:
        said = run("job", "submit", "echo ran", "-q", queue, "--label", "os=linux", "--follow")
        process.terminate()
        assert process.wait(20) == 0

    assert said.code == 0
    assert "completed" in said.output
    assert said.output.split()[-2] in said.errors  # its id, from the beginning
    assert "Run only those that you trust" in process.errors()
    assert f"jobs of {queue}, 2 at once" in process.errors()


def test_a_job_that_waits_says_why(run, shared, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE", 0)
    queue = f"queue-{next(numbers)}"
    noted = jobs.note

    def note(text):
        noted(text)
        if "waits" in text:
            with Coordinator(shared.url) as client:
                (job,) = client.jobs(kind="command", queue_name=queue).items
                client.cancel_job(job.job_id)

    monkeypatch.setattr(jobs, "note", note)

    said = run("job", "submit", "true", "-q", queue, "--wait")

    assert said.code == 1
    assert f"It waits: No agent works for channel {queue}." in said.errors


def test_ids_are_whole_in_a_narrow_terminal_and_times_short(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    queue = f"queue-{next(numbers)}"
    job_id = run("job", "submit", "true", "-q", queue).line

    _, line = run("job", "list", "-q", queue).output.splitlines()

    assert line.startswith(job_id)
    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ *$", line)


def umask():
    found = os.umask(0o077)
    os.umask(found)
    return found


class agent_process:  # noqa: N801  (it is used like a function)
    def __init__(self, url, *options):
        self.command = [sys.executable, "-m", "coordinator_client.commands", "agent", "run"]
        self.command += [*options, "--agent-id", f"cli-{next(numbers)}"]
        self.environment = os.environ | {"COORDINATOR_URL": url, "PYTHONPATH": "client"}

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, env=self.environment, stderr=subprocess.PIPE, text=True
        )
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr))
        self.reader.start()
        return self

    def terminate(self):
        self.process.terminate()

    def wait(self, seconds):
        return self.process.wait(seconds)

    def errors(self):
        self.reader.join(5)
        return "".join(self.lines)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)
        self.process.stderr.close()
