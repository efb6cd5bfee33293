"""The README's way to a first CI job, as a new user goes it."""

import os
import pwd
import re
import subprocess

import pytest

from coordinator_project.env import BASE_DIR
from tests.coordinator_project.running import environment, running

SECTION = re.compile(r"^## A CI job\n.*?^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(300)
def test_the_first_ci_job_runs_by_the_commands_of_the_readme(used_folder, tmp_path):
    [commands] = SECTION.findall((BASE_DIR / "README.md").read_text())

    with running(used_folder) as coordinator:
        url = coordinator.ready().url
        known = environment(used_folder, COORDINATOR_URL=url, HOME=str(tmp_path))
        known = {name: value for name, value in known.items() if not name.startswith("XDG_")}
        known["PIP_NO_COMPILE"] = "1"  # most modules of what it brings are never imported
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", f"{commands}\nwait $RUNNER"],
            cwd=BASE_DIR,
            env=known,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"built by {pwd.getpwuid(os.geteuid()).pw_name}" in done.stdout
    assert re.search(r"^status +completed$", done.stdout, re.MULTILINE)
    assert re.search(r"^exit_code +0$", done.stdout, re.MULTILINE)
    assert (tmp_path / "coordinator-client/files/built.txt").read_text()
    assert "no isolation" in done.stderr or "can read and change" in done.stderr
