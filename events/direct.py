"""Async database connections for code that waits in the event loop, beside Django's."""

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

# Parameters that Django adds for its own connections.
OF_DJANGO = frozenset({"context", "cursor_factory"})


async def connect() -> AsyncConnection[TupleRow]:
    """Open a connection in autocommit mode, so that no transaction stays open.

    The caller closes it. Raises psycopg.OperationalError when the database is away.
    """
    given = connections[DEFAULT_DB_ALIAS].get_connection_params()
    ours = {name: value for name, value in given.items() if name not in OF_DJANGO}
    return await AsyncConnection.connect(**ours, autocommit=True)
