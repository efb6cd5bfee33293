"""Which process runs the passes: the one with the lease of the lead, by the database's clock.

The lease is a row with a term, which grows with every change of the leader. A process that cannot
renew the lease loses it when its time is up, whatever became of its connections. What it had begun
is fenced: each transaction of a pass first makes sure of its term, and no other process takes over
while such a transaction runs.
"""

import time
from collections.abc import Callable
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.pq import TransactionStatus

from problems.database import is_lock_timeout

LEASE = 5.0
"""Seconds for which a lease lasts that is not renewed."""
RENEW_EVERY = 1.0

FENCE = 0x636F6F7264  # "coord", as a number: an advisory lock, shared by the leader's transactions
LOCK_PATIENCE = "1s"
"""A pass that must wait longer for a lock leaves it to its next run."""

BEGIN = """INSERT INTO coordinator_project_leaderlease (id, term, led_since, expires_at, pid)
    VALUES (1, 0, clock_timestamp(), clock_timestamp(), 0) ON CONFLICT DO NOTHING"""
FREE = """SELECT term FROM coordinator_project_leaderlease l
    WHERE expires_at <= clock_timestamp()
      OR NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid)"""
RENEW = """UPDATE coordinator_project_leaderlease
    SET expires_at = clock_timestamp() + %s * interval '1 second', pid = pg_backend_pid()
    WHERE term = %s"""
TAKE = """UPDATE coordinator_project_leaderlease
    SET term = term + 1, led_since = clock_timestamp(), pid = pg_backend_pid(),
      expires_at = clock_timestamp() + %s * interval '1 second'
    WHERE term = %s RETURNING term"""
END = """UPDATE coordinator_project_leaderlease SET expires_at = clock_timestamp()
    WHERE term = %s"""
STRAGGLERS = """SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock' AND objsubid = 1
      AND (classid::bigint << 32) + objid::bigint = %s
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


class NotLeading(Exception):
    """Another process leads now; the transaction is rolled back."""


class Leadership:
    """The lease of the lead, as one process sees it. One thread keeps it, any may ask for it."""

    def __init__(self) -> None:
        self.term: int | None = None
        self.until = 0.0  # by this process's clock, which started earlier than the database's

    def held(self) -> int | None:
        """The term in which this process leads; None if it does not, as far as it knows."""
        term = self.term
        return term if time.monotonic() < self.until else None

    def keep(self) -> bool:
        """Renew the lease, or take it if it is free; whether this process leads.

        Where the database does not answer, the lease ends by itself.
        """
        asked = time.monotonic()
        if self.term is None or not self._renewed(self.term):
            self.term = self._taken()
        if self.term is None:
            return False
        self.until = asked + LEASE
        return True

    def give_up(self) -> None:
        """End the lease, so that another process need not wait for it."""
        term, self.term = self.term, None
        if term is not None:
            with connection.cursor() as cursor:
                cursor.execute(END, [term])

    def _renewed(self, term: int) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(RENEW, [LEASE, term])
            renewed: int = cursor.rowcount
        return renewed == 1

    def _taken(self) -> int | None:
        with connection.cursor() as cursor:
            cursor.execute(BEGIN)
            cursor.execute(FREE)
            row = cursor.fetchone()
        return None if row is None else self._take(row[0])

    def _take(self, term: int) -> int | None:
        """The next term, unless another process was faster.

        The sessions of the former leader that are in the midst of a pass are ended first. One that
        does not even notice that can commit nothing either.
        """
        with connection.cursor() as cursor:
            cursor.execute(STRAGGLERS, [FENCE])
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_PATIENCE}'")
                    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FENCE])
                return _next(term)
        except OperationalError as problem:
            if not is_lock_timeout(problem):
                raise
        return _next(term)


def _next(term: int) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [LEASE, term])
        row = cursor.fetchone()
    return None if row is None else int(row[0])


class Fence:
    """Makes every transaction of a thread's connection one of this term, or raises NotLeading.

        with connection.execute_wrapper(Fence(term)):

    It also bounds the wait for a lock: what others hold is left for the next time.
    """

    def __init__(self, term: int) -> None:
        self.term = term

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: object,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        begun = context["connection"].connection.info.transaction_status != TransactionStatus.IDLE
        if begun:
            return execute(sql, params, many, context)
        if context["connection"].in_atomic_block:
            self._pass(context)
            return execute(sql, params, many, context)
        with transaction.atomic():
            self._pass(context)
            return execute(sql, params, many, context)

    def _pass(self, context: dict[str, Any]) -> None:
        database = context["connection"]
        # By psycopg's own cursor: Django's would come here again.
        with database.wrap_database_errors, database.connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, true), pg_advisory_xact_lock_shared(%s)",
                [LOCK_PATIENCE, FENCE],
            )
            # A statement of its own, which sees what the lock waited for.
            cursor.execute(
                "SELECT FROM coordinator_project_leaderlease WHERE term = %s", [self.term]
            )
            if cursor.rowcount != 1:
                raise NotLeading(f"Term {self.term} is over.")
