"""Notifies waiting claims, at commit, that a task may have become ready."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

CHANNEL = "coordinator_ready"
"""The name PostgreSQL listens under; the payload is the id of a channel of tasks."""


def announce(channel_ids: Iterable[UUID]) -> None:
    """Wake the claims that wait for these channels, once this transaction commits.

    Claims and reports do not call this: NOTIFY makes commits wait for each other.
    """
    wanted = sorted({str(channel_id) for channel_id in channel_ids})
    if wanted:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_notify(%s, id) FROM unnest(%s::text[]) AS c (id)", [CHANNEL, wanted]
            )
