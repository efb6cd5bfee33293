"""What tests of the client share."""

import logging

import pytest

from tests.client.gateway import TOKEN, gateway
from tests.client.runners import bench
from tests.coordinator_project.conftest import folder, used_by_module, used_folder
from tests.coordinator_project.running import running

__all__ = ["folder", "used_by_module", "used_folder"]


@pytest.fixture(scope="module")
def coordinator(used_by_module):
    """A coordinator that looks for expired leases and lost agents often."""
    quickly = {"COORDINATOR_TASK_REAPER_SECONDS": "1", "COORDINATOR_PROCESSES": "1"}
    quickly["COORDINATOR_ARTIFACT_MAX_BYTES"] = "5000000"
    quickly["CANCEL_GRACE_SECONDS"] = "2"
    quickly["COORDINATOR_AUTH_TOKEN"] = TOKEN
    with running(used_by_module, **quickly) as found:
        yield found.ready().url


@pytest.fixture(scope="module")
def shared(coordinator):
    """A gateway for the tests of a module that break nothing."""
    with gateway(coordinator) as found:
        yield found


@pytest.fixture
def runner(shared):
    with bench(shared) as found:
        yield found


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    """No test reads or writes the configuration and the state of who runs it."""
    for name in ("COORDINATOR_URL", "COORDINATOR_ALLOWED_ROOTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COORDINATOR_TOKEN", TOKEN)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(autouse=True)
def _quiet():
    for name in ("stamina", "httpx2"):
        logging.getLogger(name).setLevel(logging.ERROR)
