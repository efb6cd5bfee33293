"""Whether agents can be heard: each HTTP process asks itself as an agent would, all the time.

The loop takes nobody for lost while an answer is missing (`maintenance.Loop`).
"""

import asyncio
from contextlib import suppress

from django.db import Error, connection

from coordinator_project import threads, vitals

EVERY = 0.5  # seconds


async def listen() -> None:
    """Say again and again that the threads of agents answer; a question that waits says nothing."""
    while True:
        with suppress(Error):
            await threads.agents.run(ask)
            vitals.present.hear()
        await asyncio.sleep(EVERY)


def ask() -> None:
    """What every request needs: a thread, and an answer of its connection to the database."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        connection.close()  # the next one opens another
        raise
