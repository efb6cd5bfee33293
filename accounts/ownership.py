"""Whose rows are whose: users have their own and nobody's, others see or steer all.

A row is of the user whom it names, or of nobody: so is what the shared token or the token of an
agent makes (seed 001; contract 001, 1.8).
"""

from typing import TypeVar
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.callers import Caller
from accounts.exceptions import NotYours

Rows = TypeVar("Rows", bound=QuerySet)


def is_limited(caller: Caller, *, changes: bool = False) -> bool:
    """Whether the caller may see, or change, only own rows and those of nobody."""
    return caller.scope is None and not (caller.steers_all if changes else caller.sees_all)


def visible(rows: Rows, caller: Caller, owner: str = "user", *, changes: bool = False) -> Rows:
    """Those of the rows that the caller may see, or change; `owner`: the path to their user."""
    return rows.filter(owned(caller, owner)) if is_limited(caller, changes=changes) else rows


def check(owner_id: UUID | None, caller: Caller, *, changes: bool = True) -> None:
    """Raise NotYours where the row of this owner is of another user."""
    if is_limited(caller, changes=changes) and owner_id not in {None, caller.user_id}:
        raise NotYours


def check_each(rows: QuerySet, caller: Caller) -> None:
    """The same before a change of all these rows; reads none where the caller may change all."""
    if is_limited(caller, changes=True) and rows.exclude(owned(caller)).exists():
        raise NotYours


def owned(caller: Caller, owner: str = "user") -> Q:
    """The rows of the caller, and of nobody."""
    return Q(**{owner: None}) | Q(**{owner: caller.user_id})
