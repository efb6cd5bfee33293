"""A store in a folder of the test, and its clients."""

import pytest

from artifacts import store
from tests.artifacts.calls import Runner


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """The folder of the object store."""
    settings.OBJECT_STORE = {
        "kind": "filesystem",
        "base_path": str(tmp_path / "objects"),
        "bucket": "",
        "prefix": "",
        "options": (),
    }
    yield tmp_path / "objects"
    store._made.cache_clear()


@pytest.fixture
def runner(client):
    return Runner(client)
