"""Folders for runs, with a database that has been set up."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.coordinator_project.running import running


def make_top():
    folder = Path(tempfile.mkdtemp(prefix="coordinator-chaos-tests-"))
    folder.chmod(0o711)
    return folder


def make_folder(prepared):
    folder = make_top()
    subprocess.run(["/bin/cp", "-a", str(prepared), str(folder / "a")], check=True)
    return folder


@pytest.fixture(scope="session")
def prepared():
    """The data folder of a coordinator that ran once."""
    top = make_top()
    with running(top / "data") as coordinator:
        coordinator.ready(within=120)
    yield top / "data"
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture(scope="module")
def module_folder(prepared):
    folder = make_folder(prepared)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_folder(prepared):
    folder = make_folder(prepared)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
