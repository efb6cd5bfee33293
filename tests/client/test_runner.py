"""A runner and its commands, on a running coordinator (contract 001, section 6)."""

import os
import subprocess
import sys
from datetime import datetime

import psutil
import pytest

from coordinator_client import Coordinator
from coordinator_client.runner import command, processes
from tests.client.gateway import gateway
from tests.client.runners import bench, numbers
from tests.coordinator_project.running import eventually


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_command_runs_and_its_lines_are_its_log(runner):
    job, lines = runner.do("echo one\necho two >&2\nprintf three")

    assert (job.status, job.exit_code, job.last_error or "") == ("completed", 0, "")
    assert lines == ["one", "three"]
    assert runner.gateway.lines(job.task_id, "stderr") == ["two"]
    first, second = runner.gateway.log(job.task_id)
    times = [datetime.fromisoformat(entry["timestamp"]) for entry in (first, second)]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 3", 3), ("no-such-program", 127), ("kill -9 $$", 137), ("kill -15 $$", 143)],
)
def test_the_exit_code_is_the_commands(runner, command, code):
    job, _ = runner.do(command)

    assert (job.status, job.exit_code) == ("failed", code)
    assert str(code) in job.last_error


def test_a_command_has_its_variables_and_nothing_of_the_runners(runner, monkeypatch):
    monkeypatch.setenv("PRIVATE_THING", "of the runner")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    job, lines = runner.do("env", job_env_vars={"GREETING": "hello world"})

    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert found["GREETING"] == "hello world"
    assert found["COORDINATOR_JOB_ID"] == found["REACTORCIDE_JOB_ID"] == job.job_id
    assert found["COORDINATOR_TASK_ID"] == job.task_id
    assert found["REACTORCIDE_QUEUE"] == runner.queue
    assert found["CODE_DIR"] == found["JOB_DIR"] == found["PWD"]
    assert found["LC_ALL"] == "C.UTF-8"
    assert found.keys().isdisjoint({"PRIVATE_THING", "COORDINATOR_TOKEN"})
    assert found["HOME"] != os.environ["HOME"]


def test_it_runs_where_the_job_says(runner):
    _, lines = runner.do('pwd; echo "$CODE_DIR"', code_dir="/job/src", job_dir="/job/src/a/b")

    assert lines[0] == f"{lines[1]}/a/b"
    assert lines[1].endswith("/job/src")


def test_a_script_of_many_lines_runs_as_one(runner):
    _, lines = runner.do("set -e\nx=1\nfor i in a b; do\n  echo $i$x\ndone\nfalse\necho never")

    assert lines == ["a1", "b1"]


def test_a_line_is_what_a_shell_makes_of_it(runner):
    _, lines = runner.do(
        """printf '<%s>' '' "a  b" > f && cat f | tr ab AB; false || echo; ls | wc -l"""
    )

    assert lines == ["<><A  B>", "1"]


def test_each_line_has_the_time_at_which_it_was_written(runner):
    job, _ = runner.do("echo one; sleep 0.5; echo two")

    first, second = (
        datetime.fromisoformat(entry["timestamp"]) for entry in runner.gateway.log(job.task_id)
    )
    assert 0.4 < (second - first).total_seconds() < 5


def test_much_on_one_stream_does_not_hold_up_the_other(runner):
    much = "head -c 3000000 /dev/zero | tr '\\0' x >&2"
    job, lines = runner.do(f"echo begun; {much}; echo ended")

    assert (job.status, lines) == ("completed", ["begun", "ended"])


def test_it_reads_nothing_from_the_runner(runner):
    job, lines = runner.do("cat; echo done")

    assert (job.status, lines) == ("completed", ["done"])


def test_five_at_once_do_not_see_one_another(shared):
    with bench(shared, concurrency=5) as runner:
        look = 'touch mine-$N; for i in $(seq 50); do [ "$(ls)" = mine-$N ] || exit 9; done'
        jobs = [runner.submit(look, job_env_vars={"N": str(n)}) for n in range(5)]

        assert [runner.ended(job).status for job in jobs] == ["completed"] * 5


def test_secrets_are_given_and_masked(runner):
    secret = "s3cr3t/with?chars"
    command = 'echo "it is $TOKEN."; printf %s "$TOKEN" | base64; printf "%s" "$TOKEN" | fold -w 5'
    job, lines = runner.do(command, job_env_vars={"TOKEN": secret}, job_env_secrets=["TOKEN"])

    assert job.status == "completed"
    assert lines[:2] == ["it is [REDACTED].", "[REDACTED]"]
    assert secret not in runner.gateway.text(job.task_id)


def test_a_secret_is_masked_in_the_error_too(runner):
    job, _ = runner.do(
        "true",
        job_env_vars={"TOKEN": "sesame-sesame"},
        job_env_secrets=["TOKEN"],
        job_dir="/job/src",
        job_env_file="./job/sesame-sesame",
    )

    assert (job.status, job.exit_code) == ("failed", None)
    assert "sesame-sesame" not in job.last_error


def test_variables_come_from_a_file_of_the_source_too(shared, tmp_path, monkeypatch):
    root = tmp_path / "root"
    source = root / "source"
    source.mkdir(parents=True)
    (source / "vars").write_text("# a comment\nA=1\n\nexport B='two words'\nC=of the file\n")
    monkeypatch.setenv("COORDINATOR_ALLOWED_ROOTS", str(root))

    with bench(shared) as runner:
        job, lines = runner.do(
            'echo "$A $B $C"',
            source_type="copy",
            source_path=str(source),
            job_env_file="./job/src/vars",
            job_env_vars={"C": "of the job"},
        )

    assert (job.status, lines) == ("completed", ["1 two words of the job"])


def test_a_timeout_ends_the_command_and_its_children(runner):
    job, lines = runner.do("trap '' TERM; sleep 300 & echo $!; sleep 300; wait", timeout_seconds=1)

    assert job.status == "timeout"
    assert not alive(int(lines[0]))


def test_a_cancel_is_a_term_first(runner):
    job = runner.submit(
        "trap 'echo cleaned; exit 7' TERM; echo begun; while :; do sleep 0.05; done"
    )
    runner.begun(job)
    runner.client.cancel_job(job.job_id)

    found = runner.ended(job)
    assert (found.status, found.exit_code) == ("cancelled", 7)
    assert "cleaned" in runner.gateway.lines(job.task_id)


def test_a_command_that_ignores_term_is_killed_after_the_grace(runner):
    job = runner.submit("trap '' TERM; echo begun; while :; do sleep 0.05; done")
    runner.begun(job)
    runner.client.cancel_job(job.job_id)

    found = runner.ended(job)
    assert (found.status, found.exit_code) == ("cancelled", 137)


def test_a_kill_ends_it_at_once_and_nothing_is_reported(runner):
    job = runner.submit("trap '' TERM; echo begun; echo $$; while :; do sleep 0.05; done")
    runner.begun(job)
    pid = int(eventually(lambda: runner.gateway.lines(job.task_id)[1:])[0])
    runner.client.kill_job(job.job_id)

    eventually(lambda: not alive(pid))
    assert runner.client.job(job.job_id).status == "cancelled"
    eventually(lambda: not runner.runner.agent.current())


def test_a_kill_after_a_cancel_does_not_wait_for_the_grace(shared, monkeypatch):
    monkeypatch.setattr(command, "seconds", lambda *_: 300.0)  # of timeout and grace
    with bench(shared) as runner:
        job = runner.submit(
            "trap 'echo deaf' TERM; echo begun; echo $$; while :; do sleep 0.05; done"
        )
        runner.begun(job)
        pid = int(runner.gateway.lines(job.task_id)[1])
        runner.client.cancel_job(job.job_id)
        runner.begun(job, "deaf")
        runner.client.kill_job(job.job_id)

        eventually(lambda: not alive(pid))
        assert runner.client.job(job.job_id).last_error == "killed by admin"


DAEMONS = {
    "in its group": "sleep 300 & echo $!",
    "in a session of its own": "setsid sleep 300 & echo $!; sleep 0.2",
    "without its parent": "(setsid sh -c 'sleep 300 & echo $!' &) ; sleep 0.3",
    "without the environment": "(env -i setsid sleep 300 & echo $!) ; sleep 0.2",
    "deaf": "(trap '' TERM HUP; exec setsid sleep 300) & echo $!; sleep 0.2",
}


@pytest.mark.parametrize("how", DAEMONS)
def test_what_outlives_the_command_is_ended(runner, how):
    job, lines = runner.do(DAEMONS[how])

    assert job.status == "completed"
    assert not alive(int(lines[0]))


def test_what_has_killed_its_shim_is_ended_all_the_same(runner):
    job, lines = runner.do("echo $$; kill -9 $PPID; sleep 300")

    assert job.exit_code == 137
    assert not alive(int(lines[0]))


def test_a_file_whose_name_is_no_text_fails_nothing(runner):
    job, _ = runner.do('cd "$COORDINATOR_ARTIFACTS"; touch "$(printf \'a\\377\')" good')

    assert (job.status, job.exit_code) == ("completed", 0)
    assert runner.gateway.files(job.task_id) == {"good": b""}
    (note,) = runner.gateway.lines(job.task_id, "stderr")
    assert "its name is not printable" in note


def test_a_program_that_cannot_be_started_leaves_no_descriptor_open(tmp_path):
    def start():
        with pytest.raises(OSError, match="Argument list too long"):
            processes.Process(
                ["true"], environment={"X": "x" * 10_000_000}, folder=tmp_path, mark="m"
            )

    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        start()

    # Those of other tests' threads may come and go.
    assert len(os.listdir("/proc/self/fd")) < before + 20


def test_artifacts_are_uploaded_and_links_are_not(runner):
    job, _ = runner.do(
        'cd "$COORDINATOR_ARTIFACTS"; mkdir -p deep/er; echo text > "deep/er/a b.txt";'
        "head -c 3000000 /dev/zero > zeros; ln -s /etc/passwd link; ln -s /etc folder;"
        "mkfifo pipe; head -c 6000000 /dev/zero > huge; exit 4"
    )

    files = runner.gateway.files(job.task_id)
    assert files.keys() == {"deep/er/a b.txt", "zeros"}
    assert files["deep/er/a b.txt"] == b"text\n"
    assert (job.status, job.exit_code) == ("failed", 4)
    notes = "\n".join(runner.gateway.lines(job.task_id, "stderr"))
    for name in ("link", "folder", "pipe", "huge"):
        assert f"artifact {name} is not kept" in notes


def test_a_workspace_is_private_and_always_removed(runner):
    _, lines = runner.do(
        'stat -c %a "$CODE_DIR/../.."; echo "$CODE_DIR"; mkdir -p a/b; chmod 0 a/b a'
    )

    assert lines[0] == "700"
    eventually(lambda: not os.path.exists(lines[1]))


def test_a_runner_that_stops_gives_its_command_back(shared):
    with bench(shared, drain_seconds=0.1) as runner:
        job = runner.submit("echo begun; exec sleep 300", max_attempts=2)
        runner.begun(job)
        runner.runner.stop()
        runner.thread.join(20)

        assert not runner.thread.is_alive()
        assert runner.client.job(job.job_id).status == "queued"


def test_a_runner_that_stops_finishes_what_it_runs(shared):
    with bench(shared) as runner:
        job = runner.submit("echo begun; sleep 1; echo finished")
        runner.begun(job)
        runner.runner.stop()
        runner.thread.join(20)

        assert runner.client.job(job.job_id).status == "completed"


def test_a_task_that_is_no_command_is_left_to_others(runner):
    task = runner.client.create_task("other", channel=make_channel(runner), max_attempts=1)

    found = eventually(lambda: (t := runner.client.task(task.id)).status == "failed" and t)
    assert found.dead_letter == "unsupported"


def make_channel(runner):
    runner.do("true")  # the queue is made by its first job
    return runner.queue


@pytest.fixture
def lost_processes(shared, tmp_path):
    """A runner's workspace and process, as they are after it was killed."""
    with bench(shared, agent_id="killed") as runner:
        mark, workspaces = runner.runner.mark, runner.runner.workspaces
    left = workspaces / "run-left" / "job"
    left.mkdir(parents=True)
    environment = {"PATH": os.environ["PATH"], processes.MARK: f"{mark}/task/1/"}
    pid = os.posix_spawnp("sleep", ["sleep", "300"], environment, setsid=True)
    yield pid, left
    os.waitpid(pid, 0)


def test_what_a_killed_runner_left_is_swept_at_the_next_start(shared, lost_processes):
    pid, left = lost_processes

    with bench(shared, agent_id="killed"):
        eventually(lambda: not alive(pid))
        eventually(lambda: not left.exists())


def test_it_says_that_processes_are_no_isolation(shared, caplog):
    with bench(shared):
        eventually(lambda: "Run only those that you trust" in caplog.text)


def test_a_report_without_an_answer_is_sent_by_the_next_runner(coordinator):
    with gateway(coordinator) as own:
        with bench(own, agent_id="keeps") as runner:
            job = runner.submit("echo begun; sleep 5; exit 3", max_attempts=2)
            runner.begun(job)
            reports = runner.runner.agent.outbox.folder
            own.exits_down = True
            eventually(lambda: list(reports.glob("*.json")), 60)
        own.exits_down = False

        with bench(own, agent_id="keeps") as again:
            found = again.ended(job)
    assert (found.status, found.exit_code) == ("failed", 3)
    assert list(reports.glob("*.json")) == []


def test_a_killed_runner_takes_its_command_with_it(shared):
    queue = f"queue-{next(numbers)}"
    program = (
        "import sys; from coordinator_client.runner import Runner; Runner([sys.argv[1]]).run()"
    )
    environment = os.environ | {"COORDINATOR_URL": shared.url, "PYTHONPATH": "client"}
    with (
        Coordinator(shared.url) as client,
        subprocess.Popen([sys.executable, "-c", program, queue], env=environment) as process,
    ):
        job = client.submit_job("x", "echo $$; exec setsid sleep 300", queue_name=queue)
        (pid,) = eventually(lambda: shared.lines(job.task_id), 20)
        process.kill()

        eventually(lambda: not alive(int(pid)))
