"""Fixtures of the tests of sweeps over HTTP."""

import pytest

from tests.jobs.calls import Sweeps
from tests.spots.calls import Spots


@pytest.fixture
def spots(client):
    return Spots(client)


@pytest.fixture
def sweeps(client):
    return Sweeps(client)
