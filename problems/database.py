"""The meaning of a database's errors by their SQLSTATE: which a client may repeat, and why.

The server's own words go to the log; a client reads a sentence of ours and one word for programs.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from django.db import DatabaseError, DataError, InterfaceError, OperationalError

from problems import Invalid, Problem, Unavailable

log = logging.getLogger("coordinator.problems")

Failure = DatabaseError | InterfaceError
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a request that may succeed later did not now; seconds until it is worth a try."""

    word: str
    message: str
    retry_after: int = 1

    def problem(self) -> Unavailable:
        return Unavailable(self.message, cause=self.word, retry_after=self.retry_after)


AWAY = Cause("database_away", "The database is away; try again.")
STOPPING = Cause("database_stopping", "The database is stopping or starting; try again.")
SHORT = Cause("database_short", "The database is short of resources; try again.", 5)

# What may succeed when it is repeated unchanged. A key of two characters is a whole class.
TRY_AGAIN: Mapping[str, Cause] = {
    "08": AWAY,
    "25006": Cause("read_only", "The database takes no changes now, only reads; try again.", 5),
    "25P03": AWAY,
    "25P04": Cause("transaction_timeout", "This took too long and was undone; try again.", 5),
    "40001": Cause("conflicting_changes", "Another change came in between; try again."),
    "40P01": Cause("deadlock", "Two changes waited for each other; try again."),
    "53": SHORT,
    "53100": Cause("disk_full", "The database's disk is full; try again later.", 10),
    "53300": Cause("too_many_connections", "The database has no connection left; try again."),
    "55P03": Cause("lock_timeout", "Others hold what this needs; try again."),
    "57": STOPPING,
    # By far most often it waited for others or for a slow disk. Repeating it at once would add to
    # that, so the client is told to wait for as long as the statement took.
    "57014": Cause(
        "statement_timeout", "This took too long and was undone; try again, or ask for less.", 30
    ),
    "58": Cause("database_storage", "The database cannot use its files; try again later.", 10),
}
# What a command may meet, and no request once the coordinator runs.
NOT_SET_UP = "The tables are missing, or those of another release: run `manage.py migrate`."
OF_THE_SETUP: Mapping[str, str] = {
    "42501": "The role of COORDINATOR_DATABASE_URL may not do this: it should own its database.",
    "42703": NOT_SET_UP,
    "42P01": NOT_SET_UP,
}
# What would fail again, because of a value that the request brought.
REFUSED: Mapping[str, str] = {
    "22": "A value in the request cannot be stored.",
    "22001": "A text in the request is too long to be stored.",
    "22003": "A number in the request is too large to be stored.",
    "54000": "A value in the request is too large to be stored.",
    "54001": "A value in the request is nested too deeply to be stored.",
}


def meaning_of(failure: Failure) -> Problem | None:
    """The problem that the database's failure stands for; None if it is a fault of ours."""
    cause = cause_of(failure)
    if cause is not None:
        log.warning("database", extra={"cause": cause.word, "error": first_line(failure)})
        return cause.problem()
    state = sqlstate_of(failure) or ("22" if isinstance(failure, DataError) else "")
    refusal = _known(REFUSED, state)
    return Invalid(refusal) if refusal else None


def cause_of(failure: BaseException) -> Cause | None:
    """Why the database cannot do it now; None if it would fail again."""
    state = sqlstate_of(failure)
    if state is not None:
        return _known(TRY_AGAIN, state)
    # A connection that was lost, refused, or did not answer in time has no SQLSTATE.
    return AWAY if isinstance(failure, (OperationalError, InterfaceError)) else None


def sentence_for_operators(failure: BaseException) -> str | None:
    """What is wrong, with the server's own words, for a command; None for a fault of ours."""
    cause = cause_of(failure)
    meant = cause.message if cause else OF_THE_SETUP.get(sqlstate_of(failure) or "")
    return f"{meant}\n({first_line(failure)})" if meant else None


def is_lock_timeout(failure: BaseException) -> bool:
    """Whether somebody else held a lock for longer than we wait."""
    return sqlstate_of(failure) == "55P03"


def sqlstate_of(failure: BaseException) -> str | None:
    """The SQLSTATE that the server gave; None when it gave none, as for a lost connection."""
    state = getattr(failure, "sqlstate", None) or getattr(failure.__cause__, "sqlstate", None)
    return state if isinstance(state, str) else None


def first_line(failure: BaseException) -> str:
    """The error in one line; the others may quote values of a row."""
    return str(failure).partition("\n")[0]


def _known(table: Mapping[str, T], state: str) -> T | None:
    """The entry of this SQLSTATE, else of its class."""
    return table.get(state) or table.get(state[:2])
