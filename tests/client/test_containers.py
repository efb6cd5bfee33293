"""The container executor, with a program in the place of docker that keeps what it is told."""

import json
import os
import shlex
import sys

import pytest

from coordinator_client import BadRequest
from coordinator_client.runner import command
from coordinator_client.runner.command import BadCommand
from coordinator_client.runner.executors import LABEL, ContainerExecutor, Order
from coordinator_client.runner.workspace import Workspace
from tests.client.runners import bench
from tests.coordinator_project.running import eventually

# Runs the command on this machine, with the folders and variables that a container would have.
DOCKER = f"""#!/bin/sh
'''exec' {shlex.quote(sys.executable)} "$0" "$@"
' '''
import json, os, pathlib, signal, subprocess, sys
here = pathlib.Path(__file__).parent
arguments = sys.argv[1:]
with (here / "calls").open("a") as file:
    file.write(json.dumps(arguments) + "\\n")
options = dict(a[2:].split("=", 1) for a in arguments if a.startswith("--") and "=" in a)
running = here / "running"
running.mkdir(exist_ok=True)
if arguments[0] == "version":
    print("1")
elif arguments[0] == "ps":
    print("left-over")
elif arguments[0] == "kill":
    pid = int((running / arguments[-1]).read_text())
    number = signal.SIGTERM if "--signal=TERM" in arguments else signal.SIGKILL
    os.killpg(pid, number)
elif arguments[0] == "run":
    if "no/such" in arguments:
        sys.exit("Unable to find image")
    variables = dict(line.split("=", 1) for line in open(options["env-file"]).read().splitlines())
    for name in [a[6:] for a in arguments if a.startswith("--env=")]:
        variables[name] = os.environ[name]
    volumes = [a[9:].rsplit(":", 1) for a in arguments if a.startswith("--volume=")]
    places = {{inner: outer for outer, inner in volumes}}
    variables["COORDINATOR_ARTIFACTS"] = places["/artifacts"]
    folder = options["workdir"].replace("/job", places["/job"], 1)
    variables["PATH"] = os.environ["PATH"]
    process = subprocess.Popen(
        ["sh", "-c", arguments[-1]], env=variables, cwd=folder, start_new_session=True
    )
    (running / options["name"]).write_text(str(process.pid))
    open(options["cidfile"], "w").write("abc")
    code = process.wait()
    sys.exit(code if code >= 0 else 128 - code)
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """The folder of the program; its `calls` are what it was told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def with_docker(docker, shared):
    with bench(shared) as found:
        yield found


def calls(docker, verb):
    lines = (docker / "calls").read_text().splitlines()
    return [call for call in map(json.loads, lines) if call[0] == verb]


def test_a_job_with_an_image_runs_in_a_container(with_docker, docker):
    job, lines = with_docker.do(
        'echo "$GREETING|$KEY"; pwd; echo x > "$COORDINATOR_ARTIFACTS/out"; exit 5',
        runner_image="python:3",
        job_env_vars={"GREETING": "hello", "KEY": "two\nlines", "TOKEN": "sesame99"},
        job_env_secrets=["TOKEN"],
        job_dir="/job/src/sub",
    )

    assert (job.status, job.exit_code) == ("failed", 5)
    assert lines[:2] == ["hello|two", "lines"]
    assert lines[2].endswith("/job/src/sub")
    assert with_docker.gateway.files(job.task_id) == {"out": b"x\n"}
    (call,) = calls(docker, "run")
    for wanted in ("--rm", "--init", "--cap-drop=ALL", "--network=bridge", "--pids-limit=1024"):
        assert wanted in call
    assert {"--workdir=/job/src/sub", f"--user={os.getuid()}:{os.getgid()}"} < set(call)
    assert any(argument.startswith(f"--label={LABEL}=") for argument in call)
    assert any(argument.startswith("--memory=") for argument in call)
    assert any(argument.startswith("--cpus=") for argument in call)
    assert call[-4:-1] == ["--entrypoint=sh", "python:3", "-c"]
    assert "sesame99" not in json.dumps(call)


@pytest.mark.parametrize("image", ["-", "--privileged", "--volume=/:/host", "-v/:/host"])
def test_an_image_cannot_be_an_option_of_the_engine(with_docker, docker, image):
    """The coordinator refuses it, and so does the runner, whoever gave it the task."""
    with pytest.raises(BadRequest, match="must not begin with '-'"):
        with_docker.submit("true", runner_image=image)
    with pytest.raises(BadCommand, match="must not begin with '-'"):
        command.read({"command": "true", "image": image})

    assert calls(docker, "run") == []


STEERING = [
    *("LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "DOCKER_HOST", "DOCKER_CONFIG", "CONTAINER_HOST"),
    *("CONTAINERS_CONF", "CONTAINERD_ADDRESS", "PODMAN_USERNS", "NERDCTL_TOML", "PYTHONPATH"),
    *("BASH_ENV", "BASH_FUNC_x", "ENV", "IFS", "XDG_RUNTIME_DIR", "GCONV_PATH", "GODEBUG"),
    *("https_proxy", "HTTP_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSH_AUTH_SOCK", "TMPDIR"),
    *("PATH", "HOME", "OF_THE_RUNNER"),
]


@pytest.mark.parametrize("name", STEERING)
def test_variables_of_many_lines_cannot_steer_the_engine(order, monkeypatch, name):
    """These go through the environment of the engine's client, which runs on the machine."""
    monkeypatch.setenv("OF_THE_RUNNER", "x")

    with pytest.raises(BadCommand, match=name):
        ContainerExecutor("docker").variables(order({name: "a\nb"}))
    for one_line in ({name: "a"}, {name: ""}):
        single, several = ContainerExecutor("docker").variables(order(one_line))
        assert single[name] == one_line[name]
        assert several == {}


@pytest.mark.parametrize("name", ["KEY", "SSH_PRIVATE_KEY", "ENVIRONMENT", "MY_PATH", "CERT_PEM"])
def test_other_variables_may_have_many_lines(order, name):
    single, several = ContainerExecutor("docker").variables(order({name: "a\r\nb"}))

    assert several == {name: "a\r\nb"}
    assert name not in single


def test_a_job_that_would_steer_the_engine_fails_before_it_runs(with_docker, docker):
    job, _ = with_docker.do(
        "true", runner_image="python:3", job_env_vars={"LD_PRELOAD": "/job/src/evil.so\n"}
    )

    assert (job.status, job.exit_code) == ("failed", None)
    assert "LD_PRELOAD" in job.last_error
    assert calls(docker, "run") == []


@pytest.fixture
def order(tmp_path):
    """Makes what to run, with these variables."""
    place = Workspace(tmp_path)

    def make(variables):
        return Order("true", "python:3", place, place.job, place.job, variables, "mark/")

    yield make
    place.remove()


def test_a_job_without_an_image_does_not(with_docker, docker):
    job, _ = with_docker.do("true")

    assert job.status == "completed"
    assert calls(docker, "run") == []


def test_a_container_is_ended_by_its_name(with_docker, docker):
    job = with_docker.submit(
        "trap '' TERM; echo begun; while :; do sleep 0.05; done", runner_image="x"
    )
    with_docker.begun(job)
    with_docker.client.cancel_job(job.job_id)

    found = with_docker.ended(job)
    assert (found.status, found.exit_code) == ("cancelled", 137)
    (run,) = calls(docker, "run")
    name = next(a.removeprefix("--name=") for a in run if a.startswith("--name="))
    assert calls(docker, "kill") == [["kill", "--signal=TERM", name], ["kill", name]]
    assert ["rm", "--force", name] in calls(docker, "rm")


def test_an_image_that_there_is_not_fails_without_an_exit_code(with_docker):
    job, _ = with_docker.do("true", runner_image="no/such")

    assert (job.status, job.exit_code) == ("failed", None)
    assert "could not be started" in job.last_error
    assert "Unable to find image" in with_docker.gateway.text(job.task_id)


def test_containers_that_were_left_are_removed_at_the_start(with_docker, docker):
    removed = eventually(lambda: calls(docker, "rm"))

    assert removed == [["rm", "--force", "left-over"]]
    (listed,) = calls(docker, "ps")
    assert f"--filter=label={LABEL}={with_docker.runner.mark}" in listed


def test_a_runner_without_containers_does_not_get_jobs_with_images(shared, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with bench(shared) as runner:
        job = runner.submit("true", runner_image="python:3")
        runner.do("true")

        assert runner.client.job(job.job_id).status == "queued"
        (reason,) = runner.client.why(job.task_id).why[:1]
        assert reason.code == "nobody_offers"


def test_images_are_ignored_by_a_runner_that_is_told_so_and_the_log_says_it(shared):
    with bench(shared, ignore_images=True) as runner:
        job, lines = runner.do("echo ran", runner_image="python:3")

    assert (job.status, lines) == ("completed", ["ran"])
    (note,) = shared.lines(job.task_id, "stderr")
    assert "the image python:3 is ignored" in note
