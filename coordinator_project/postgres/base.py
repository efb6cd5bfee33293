"""Connections whose every wait for an answer ends.

The server ends its own statements in time (databases.SERVER_OPTIONS). What it cannot end is the
wait for a server that stands still, or for a peer behind which there is no server any more: the
other end of the connection still acknowledges what it gets.
"""

import threading
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg import errors
from psycopg.abc import RV, PQGen
from psycopg.waiting import Ready

LOOK_AFTER = 2.0
"""Seconds without an answer after which a new connection shows whether the server answers.

With the time for that it is less than half of what a SPOT may be silent: it can ask elsewhere.
"""
ANSWER_WITHIN = 35.0
"""Seconds after which the wait ends anyway: the server ends a statement after 30."""
CONNECT_WITHIN = 2
INTERVAL = 0.1


class Probe:
    """Whether the server answers new connections; many who ask at once share one answer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.at = float("-inf")
        self.answered = True

    def answers(self, parameters: Mapping[str, Any]) -> bool:
        asked = time.monotonic()
        with self.lock:
            if self.at < asked - LOOK_AFTER / 2:
                self.answered = _answers(parameters)
                self.at = time.monotonic()
            return self.answered


_probe = Probe()


class Connection(psycopg.Connection):
    """A connection that is closed when the server stands still while it waits for an answer.

    `parameters` are those of a new connection to the same server; `answer_within` is None for
    statements that may take any time, as those of migrations.
    """

    parameters: Mapping[str, Any] = MappingProxyType({})
    answer_within: float | None = ANSWER_WITHIN

    def wait(self, gen: PQGen[RV], interval: float = INTERVAL, timeout: float | None = None) -> RV:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        started = time.monotonic()
        try:
            return super().wait(gen, interval, LOOK_AFTER)
        except errors._WaitTimeout:
            again = _resumed(gen)
        while self._may_wait(time.monotonic() - started):
            try:
                return super().wait(again, interval, LOOK_AFTER)
            except errors._WaitTimeout:
                continue
        # The answer of a closed connection cannot be taken for that to the next question.
        self.close()
        raise psycopg.OperationalError(
            f"The database has not answered for {time.monotonic() - started:.0f} seconds."
        )

    def _may_wait(self, waited: float) -> bool:
        if self.answer_within is not None and waited >= self.answer_within:
            return False
        return _probe.answers(self.parameters)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's backend, with our connections; neither its pool nor other isolation is used."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        connection = Connection.connect(**conn_params)
        connection.parameters = conn_params
        return connection


def _resumed(gen: PQGen[RV]) -> PQGen[RV]:
    """The rest of a wait that ended before its time.

    A new wait begins with None, which psycopg's compiled generators do not take in the middle.
    """
    try:
        wanted = gen.send(Ready.NONE)
        while True:
            wanted = gen.send((yield wanted) or Ready.NONE)
    except StopIteration as end:
        result: RV = end.value
        return result


def _answers(parameters: Mapping[str, Any]) -> bool:
    """Whether a new connection gets any answer, be it a refusal, in time."""
    try:
        psycopg.connect(**{**parameters, "connect_timeout": CONNECT_WITHIN}).close()
    except errors.ConnectionTimeout:
        return False
    except psycopg.Error:
        return True
    return True
