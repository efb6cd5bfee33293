"""A server with three stream slots, and a journal that lacks its first events."""

import pytest
from django.db import connection

from tests.serving import serving


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), serving(COORDINATOR_MAX_STREAMS="3") as server:
        yield server


@pytest.fixture
def _old_journal(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (type, created_at) VALUES ('old.one', now() - interval '1 h')"
        )
