"""Data folders that PostgreSQL's own user can reach, with a space in their names."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.coordinator_project.running import running


def make_top():
    top = Path(tempfile.mkdtemp(prefix="coordinator "))
    top.chmod(0o711)
    return top


@pytest.fixture
def folder():
    """A folder that does not exist yet."""
    top = make_top()
    yield top / "the data"
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture(scope="session")
def first_run():
    """The folder of a coordinator that ran once."""
    top = make_top()
    with running(top / "data") as coordinator:
        coordinator.ready()
    yield top / "data"
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def used_folder(first_run, folder):
    """A copy of that folder, with owners and modes, which saves the setup of a database."""
    subprocess.run(["/bin/cp", "-a", str(first_run), str(folder)], check=True)
    return folder
