"""Fixtures of the tests of /v1."""

import pytest
from django.test import Client

from tests import emptying
from tests.api_v1.calls import Api
from tests.api_v1.endpoints import World


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """Created once for a module; the writes of each test are rolled back."""
    with django_db_blocker.unblock():
        made = World(Api(Client()))
    yield made
    with django_db_blocker.unblock():
        emptying.empty()
