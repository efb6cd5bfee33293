"""Folders for runs, with a database that has been set up."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def make_top():
    folder = Path(tempfile.mkdtemp(prefix="coordinator-chaos-tests-"))
    folder.chmod(0o711)
    return folder


def make_folder(prepared):
    folder = make_top()
    subprocess.run(["/bin/cp", "-a", str(prepared), str(folder / "a")], check=True)
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
