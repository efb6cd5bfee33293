"""Fixtures that several tests of tasks use."""

import pytest
from django.db import connection

from tests.factories import make_agent


@pytest.fixture
def asked():
    """The statements that are sent, as they are sent."""
    sent = []

    def listen(execute, statement, params, many, context):
        sent.append((statement, params))
        return execute(statement, params, many, context)

    with connection.execute_wrapper(listen):
        yield sent


@pytest.fixture
def agent():
    return make_agent("first")


@pytest.fixture
def other():
    return make_agent("other")
