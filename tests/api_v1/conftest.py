"""What the tests of /v1 start from."""

import pytest

from tests.api_v1.calls import Api


@pytest.fixture
def api(client):
    return Api(client)
