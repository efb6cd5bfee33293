"""A connection to the database for what waits in the event loop, beside Django's for threads."""

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

# What Django adds for its own connections.
OF_DJANGO = frozenset({"context", "cursor_factory"})


async def connect() -> AsyncConnection[TupleRow]:
    """A new connection in autocommit, so that nothing it does leaves a transaction open.

    The caller closes it; raises psycopg.OperationalError when the database is away.
    """
    given = connections[DEFAULT_DB_ALIAS].get_connection_params()
    ours = {name: value for name, value in given.items() if name not in OF_DJANGO}
    return await AsyncConnection.connect(**ours, autocommit=True)
