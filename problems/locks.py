"""Locks that were awaited in vain."""

from psycopg import errors


def is_lock_timeout(problem: Exception) -> bool:
    """Whether Django's error says that somebody else held a lock for longer than we wait."""
    return isinstance(problem.__cause__, errors.LockNotAvailable)
