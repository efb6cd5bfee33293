"""Each test that asks for `outside` runs against a server of each protocol."""

from contextlib import ExitStack, closing

import pytest

from jobs.corndogs import addresses, faces, outbox
from jobs.corndogs.client import connect
from tests.coordinator_project.conftest import folder, used_folder
from tests.jobs.command_calls import Commands
from tests.jobs.corndogs.server import CborServer, HttpServer

__all__ = ["folder", "used_folder"]


@pytest.fixture(params=[HttpServer, CborServer], ids=lambda kind: kind.scheme)
def outside(request, monkeypatch):
    """A Corndogs server that is waited for only a moment."""
    monkeypatch.setattr(faces, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(faces, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(outbox, "ear", outbox.Ear())
    server = request.param()
    yield server
    server.stop()


@pytest.fixture
def connected():
    """Makes clients of these URLs, which are closed after the test."""
    with ExitStack() as made:
        yield lambda *urls, key="": made.enter_context(
            closing(connect(addresses.parsed(",".join(urls)), key))
        )


@pytest.fixture
def client(connected, outside):
    return connected(outside.url)


@pytest.fixture
def commands(settings, outside):
    """Commands of a coordinator with this queue outside."""
    settings.CORNDOGS = addresses.parsed(outside.url)
    settings.CORNDOGS_API_KEY = outside.key
    return Commands()
