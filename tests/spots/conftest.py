"""Fixtures of the tests of the SPOTs' protocol."""

import pytest

from tests.spots.calls import Spots


@pytest.fixture
def spots(client):
    return Spots(client)
