"""The smoke test, as a person runs it."""

import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.coordinator_project.running import running, surroundings

SCRIPT = Path(__file__).with_name("smoke_test.sh")
KEY = "open sesame"
WITHOUT_JQ = ("bash", "curl", "awk")


def smoke_test(**environment):
    return subprocess.run(
        [str(SCRIPT)],
        env=surroundings() | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def failures(output):
    return re.findall(r"^FAILED: (.*)$", output.stdout, re.MULTILINE)


def assert_all_is_well(output):
    assert (output.returncode, failures(output)) == (0, []), output.stdout + output.stderr
    assert len(re.findall(r"^== [1-9]\. ", output.stdout, re.MULTILINE)) == 9
    assert "All nine steps are as they should be." in output.stdout


def is_free(port):
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def base(used_by_module):
    """The address of a coordinator with default settings."""
    with running(used_by_module) as coordinator:
        yield coordinator.ready().url


def test_it_passes_again_and_again_on_one_coordinator(base):
    assert_all_is_well(smoke_test(BASE=base))
    assert_all_is_well(smoke_test(BASE=base))


def test_it_passes_with_the_agent_key_and_checks_that_nothing_works_without(used_folder):
    with running(used_folder, ORHESTRA_AGENT_KEY=KEY) as coordinator:
        base = coordinator.ready().url

        assert_all_is_well(smoke_test(BASE=base, KEY=KEY))
        without = smoke_test(BASE=base)
        wrong = smoke_test(BASE=base, KEY="close sesame")

    for output in (without, wrong):
        assert output.returncode == 1
        assert failures(output).count("status is '401', not '200'") == 4  # steps 3 to 6
        assert "sesame" not in output.stdout + output.stderr


def test_a_key_that_the_coordinator_does_not_check_is_reported(base):
    output = smoke_test(BASE=base, KEY=KEY)

    assert output.returncode == 1
    assert "hello without the key: status is '200', not '401'" in failures(output)


def test_it_needs_no_jq(base, tmp_path):
    for name in WITHOUT_JQ:
        (tmp_path / name).symlink_to(shutil.which(name))
    (tmp_path / "python3").symlink_to(Path(sys.executable).resolve())

    output = smoke_test(BASE=base, PATH=str(tmp_path))

    assert_all_is_well(output)


def test_it_passes_on_the_default_port(used_folder):
    if not is_free(8080):
        pytest.skip("port 8080 is taken; with BASE it would try another one")
    with running(used_folder, COORDINATOR_PORT="") as coordinator:
        assert coordinator.ready().url == "http://127.0.0.1:8080"

        assert_all_is_well(smoke_test())


@pytest.mark.parametrize(("others", "passes"), [(3, True), (10, False)])
def test_tasks_that_were_there_before_are_given_back(used_folder, others, passes):
    one = {"min": 1, "max": 1, "step": 1}
    older = {
        "jarPath": "/opt/older.jar",
        "mainClass": "Older",
        "algorithms": ["PSO"],
        "iterations": {"min": 1, "max": others, "step": 1},
        "agents": one,
        "dimension": one,
    }
    with running(used_folder) as coordinator:
        base = coordinator.ready().url
        httpx.post(f"{base}/api/v1/jobs", json=older).raise_for_status()

        output = smoke_test(BASE=base)

        health = coordinator.get("/api/v1/health").json()
    assert (output.returncode == 0) == passes, output.stdout
    assert output.stdout.count("Giving back") == others
    assert health["runningTasks"] == 0
    assert health["pendingTasks"] == (others if passes else 11)


def test_without_a_coordinator_it_reports_that(tmp_path):
    output = smoke_test(BASE="http://127.0.0.1:1")

    assert output.returncode == 1
    assert failures(output) == ["no coordinator answers at http://127.0.0.1:1"]
    assert os.access(SCRIPT, os.X_OK)
