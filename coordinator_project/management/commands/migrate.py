"""Django's `migrate`, in one process at a time and without the timeouts of requests."""

from datetime import timedelta
from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from events import bounds

MIGRATING = 0x6D696772  # "migr", as a number: the advisory lock of the migrating process


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            # Changing a large table takes longer than a request may.
            for limit in ("statement_timeout", "lock_timeout"):
                cursor.execute(f"SET {limit} = 0")
            cursor.execute("SELECT set_config('application_name', %s, false)", [bounds.MARK])
            if bounds.is_known(connection):
                cursor.execute(bounds.setting(timedelta()))
            connection.connection.answer_within = None
            cursor.execute(f"SELECT pg_advisory_lock({MIGRATING})")
        try:
            super().handle(*args, **options)
        finally:
            # Ends the session, and with it the lock and the changed timeouts.
            connection.close()
