"""A data folder that PostgreSQL's own user can reach, with a space in its name."""

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def folder():
    top = Path(tempfile.mkdtemp(prefix="coordinator "))
    top.chmod(0o711)
    yield top / "the data"
    shutil.rmtree(top, ignore_errors=True)
