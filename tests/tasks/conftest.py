"""What tests of tasks share as fixtures."""

import pytest
from django.db import connection


@pytest.fixture
def asked():
    """The statements that are sent, as they are sent."""
    sent = []

    def listen(execute, statement, params, many, context):
        sent.append((statement, params))
        return execute(statement, params, many, context)

    with connection.execute_wrapper(listen):
        yield sent
