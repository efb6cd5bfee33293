"""The first start with `DEFAULT_USER_ID`, and tokens that several processes know."""

import shutil
import subprocess
import sys
import time

import httpx

from coordinator_project.env import BASE_DIR
from tests.coordinator_project.conftest import copied, make_top
from tests.coordinator_project.running import environment, eventually, running

ID = "01234567-89ab-cdef-0123-456789abcdef"
WITHIN = 5.0


def test_the_default_user_makes_tokens_that_all_processes_know(first_run):
    top = make_top()
    folder = copied(first_run, top / "data")
    try:
        with running(folder, DEFAULT_USER_ID=ID) as coordinator:
            coordinator.ready()
            file = folder / "default_user.token"
            secret = file.read_text().strip()
            assert file.stat().st_mode & 0o777 == 0o600
            assert str(file) in coordinator.output
            assert "Protected mode" not in coordinator.output

            first = {"Authorization": f"Bearer {secret}"}
            url = f"{coordinator.url}/api/v1/tokens"
            made = httpx.post(url, json={"name": "another"}, headers=first, timeout=10).json()
            other = {"Authorization": f"Bearer {made['token']}"}
            assert all(status(coordinator, other) == 200 for _ in range(8))
            assert status(coordinator, {}) == 401
            gone = httpx.delete(f"{url}/{made['token_id']}", headers=first, timeout=10)
            assert gone.status_code == 204
            time.sleep(WITHIN)
            assert {status(coordinator, other) for _ in range(8)} == {401}

            printed = command(folder, "create_token", "--agent", "runner-1", "--name", "one")
            agent = {"X-Api-Key": printed.strip()}
            assert status(coordinator, agent) == 403
            beat = f"{coordinator.url}/v1/agents/heartbeat"
            body = {"agent_id": "runner-1"}
            assert httpx.post(beat, json=body, headers=agent, timeout=10).status_code == 200
        hidden = (secret, made["token"], printed.strip())
        assert not any(one in coordinator.output for one in hidden)

        with running(folder, DEFAULT_USER_ID=ID) as coordinator:
            coordinator.ready()
            assert file.read_text().strip() == secret
            assert "Created the user" not in coordinator.output
            eventually(lambda: status(coordinator, first) == 200)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def status(coordinator, headers):
    """The status of a list, on a connection of its own, which any process may answer."""
    return httpx.get(f"{coordinator.url}/v1/tasks", headers=headers, timeout=10).status_code


def command(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout
