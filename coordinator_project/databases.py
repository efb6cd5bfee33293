"""Django's settings for the URL of a PostgreSQL database."""

from collections.abc import Mapping

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

# The stream treats an id that is missing for 60 s as rolled back, so no statement and no
# transaction of ours may take that long (for whole transactions see events/bounds.py, since older
# servers refuse what they do not know). A generic plan saves planning time; the engine's queries
# are written for it.
SERVER_OPTIONS: Mapping[str, str] = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "20s",
    "plan_cache_mode": "force_generic_plan",
    # The sessions of a machine that vanished end, and with them their locks.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}
# Our side: a server that vanished is noticed also while nothing is sent to it, and nobody waits
# for a connection longer than for an answer. See postgres/base.py for a server that stands still.
CLIENT_OPTIONS: Mapping[str, object] = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "application_name": "coordinator",
}
DEFAULT_NAME = "coordinator"

ALLOWED = """SELECT LEAST(
    current_setting('max_connections')::int
      - current_setting('superuser_reserved_connections')::int
      - COALESCE(current_setting('reserved_connections', true)::int, 0),
    (SELECT NULLIF(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
    (SELECT NULLIF(datconnlimit, -1) FROM pg_database WHERE datname = current_database()))"""

Settings = dict[str, object]


def settings_for(name: str, url: str) -> Settings:
    """Django's settings for the database at `url`, the value of the variable `name`.

    With an empty `url` the settings cannot connect: manage.py starts the embedded PostgreSQL and
    sets its address in the environment first.
    """
    given = _parsed(name, url) if url else {}
    extra = given.pop("options", "")
    ours = " ".join(f"-c {option}={value}" for option, value in SERVER_OPTIONS.items())
    return {
        "ENGINE": "coordinator_project.postgres",
        "NAME": given.pop("dbname", DEFAULT_NAME),
        "USER": given.pop("user", ""),
        "PASSWORD": given.pop("password", ""),
        "HOST": given.pop("host", ""),
        "PORT": given.pop("port", ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False,
        "OPTIONS": {
            **CLIENT_OPTIONS,
            **given,
            "prepare_threshold": 5,
            "options": f"{ours} {extra}".strip(),
        },
    }


def _parsed(name: str, url: str) -> dict[str, str]:
    scheme = url.partition(":")[0].lower()
    if scheme not in {"postgresql", "postgres"}:
        # The value may contain a password, so the message shows only the scheme.
        raise ImproperlyConfigured(
            f"{name} starts with {scheme[:20]!r}, but the coordinator runs only on PostgreSQL: "
            "set COORDINATOR_DATABASE_URL=postgresql://user:password@host:port/name, "
            "or unset it for the embedded PostgreSQL."
        )
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ImproperlyConfigured(
            f"{name} is not a URL that PostgreSQL understands: "
            "use COORDINATOR_DATABASE_URL=postgresql://user:password@host:port/name."
        ) from None
    return {key: str(value) for key, value in given.items() if value is not None}


def connections_allowed() -> int:
    """How many connections the server, the database and the role allow to us together."""
    with connection.cursor() as cursor:
        cursor.execute(ALLOWED)
        allowed: int = cursor.fetchone()[0]
    return allowed
