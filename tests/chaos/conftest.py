"""Folders for runs, with a database that has been set up."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.coordinator_project.conftest import first_run

__all__ = ["first_run"]


def make_folder(first):
    folder = Path(tempfile.mkdtemp(prefix="coordinator-chaos-tests-"))
    folder.chmod(0o711)
    subprocess.run(["/bin/cp", "-a", str(first), str(folder / "a")], check=True)
    return folder


@pytest.fixture(scope="module")
def module_folder(first_run):
    folder = make_folder(first_run)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_folder(first_run):
    folder = make_folder(first_run)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
