"""How long a transaction may take.

Ids of the journal are handed out before commit, so its followers wait for what is missing: for a
minute, since no transaction of ours takes that long, and for the few that may as long as they run.
"""

from datetime import timedelta

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

LONGEST = timedelta(seconds=50)
EXTENDED = timedelta(minutes=15)
KNOWN_SINCE = 170_000
MARK = "coordinator, long"
"""The application name of a session in the midst of a transaction that may take long."""

END_OLD = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND application_name = current_setting('application_name') AND application_name <> %s
      AND xact_start < clock_timestamp() - %s * interval '1 second'"""


def is_known(database: BaseDatabaseWrapper) -> bool:
    """Whether the server itself ends transactions that take too long."""
    database.ensure_connection()
    version: int = database.connection.info.server_version
    return version >= KNOWN_SINCE


def setting(longest: timedelta) -> str:
    """The statement that bounds the transactions of a session; zero is no bound."""
    return f"SET transaction_timeout = {round(longest.total_seconds() * 1000)}"


def bound(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    """Bound the transactions of a new connection, where PostgreSQL can; else see `end_old`."""
    if LONGEST and is_known(connection):
        with connection.cursor() as cursor:
            cursor.execute(setting(LONGEST))


def extend() -> None:
    """Let the current transaction take up to a quarter of an hour; call it at its beginning.

    For what has to be one transaction however large it is. The journal's followers wait for it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, true)", [MARK])
        if LONGEST and is_known(connection):
            # Only switching it off and on again starts the time anew.
            for longest in (timedelta(), EXTENDED):
                cursor.execute(setting(longest).replace("SET", "SET LOCAL", 1))


def end_old() -> int:
    """End the sessions of ours whose transaction takes too long; returns how many.

    Only where PostgreSQL does not do it itself.
    """
    return 0 if is_known(connection) else end_older_than(LONGEST)


@transaction.atomic
def end_older_than(longest: timedelta) -> int:
    with connection.cursor() as cursor:
        cursor.execute(END_OLD, [MARK, longest.total_seconds()])
        return len(cursor.fetchall())
