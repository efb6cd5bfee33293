"""Folders for runs that PostgreSQL's own user can reach."""

import shutil
import tempfile
from pathlib import Path

import pytest


def make_folder():
    folder = Path(tempfile.mkdtemp(prefix="coordinator-chaos-tests-"))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="module")
def module_folder():
    folder = make_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_folder():
    folder = make_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
