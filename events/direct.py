"""Async database connections for code that waits in the event loop, beside Django's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import AsyncConnection, errors
from psycopg.abc import RV, PQGen
from psycopg.rows import TupleRow

# Parameters that Django adds for its own connections.
OF_DJANGO = frozenset({"context", "cursor_factory"})
ANSWER_WITHIN = 5.0
"""Seconds for an answer; no statement here takes long, and the server may stand still."""
INTERVAL = 0.1


class Direct(AsyncConnection[TupleRow]):
    """A connection in autocommit mode that is closed when an answer does not come in time."""

    answer_within = ANSWER_WITHIN

    async def wait(
        self, gen: PQGen[RV], interval: float = INTERVAL, timeout: float | None = None
    ) -> RV:
        if timeout is not None:  # the caller expects that nothing may come
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, self.answer_within)
        except errors._WaitTimeout:
            await self.close()
            raise psycopg.OperationalError(
                f"The database has not answered for {self.answer_within:.0f} seconds."
            ) from None


@asynccontextmanager
async def connect(answer_within: float | None = None) -> AsyncIterator[Direct]:
    """A connection for the block. Raises psycopg.OperationalError when the database is away."""
    given = connections[DEFAULT_DB_ALIAS].get_connection_params()
    ours = {name: value for name, value in given.items() if name not in OF_DJANGO}
    connection = await Direct.connect(**ours, autocommit=True)
    connection.answer_within = answer_within or ANSWER_WITHIN
    try:
        yield connection
    finally:
        await connection.close()
