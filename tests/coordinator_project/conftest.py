"""Data folders that PostgreSQL's own user can reach, with a space in their names."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


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


@pytest.fixture
def used_folder(first_run, folder):
    """One in which a coordinator ran once, which saves the setup of a database."""
    return copied(first_run, folder)


@pytest.fixture(scope="module")
def used_by_module(first_run):
    """The same for all tests of a module."""
    top = make_top()
    yield copied(first_run, top / "the data")
    shutil.rmtree(top, ignore_errors=True)


def copied(first_run, folder):
    """Copy it there, with owners and modes."""
    subprocess.run(["/bin/cp", "-a", str(first_run), str(folder)], check=True)
    return folder
