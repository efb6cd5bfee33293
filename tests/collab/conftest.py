"""Fixtures of the tests of Collab jobs."""

import pytest
from django.db import connection

from tests.collab.calls import Collab
from tests.serving import serving


@pytest.fixture
def collab(client):
    return Collab(client)


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), serving() as server:
        yield server


@pytest.fixture
def old_journal(transactional_db):
    """The journal began long ago, so that it has all that a test asks for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (type, created_at) VALUES ('old.one', now() - interval '1 h')"
        )
