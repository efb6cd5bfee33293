"""What the tests of sweeps over HTTP start from."""

import pytest

from tests.jobs.calls import Sweeps
from tests.spots.calls import Spots


@pytest.fixture
def spots(client):
    return Spots(client)


@pytest.fixture
def sweeps(client):
    return Sweeps(client)
