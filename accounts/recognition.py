"""Which callers issued tokens stand for; each process remembers it for a few seconds.

So a token costs one look-up by its digest every few seconds, and one that is revoked, expired or of
a user who is not active any more lets nobody in five seconds later, in every process.
"""

import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeAlias
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import Error, InterfaceError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts import callers
from accounts.callers import Caller, CallerKind
from accounts.models import ApiToken, User
from accounts.querysets import USED_AGAIN_AFTER, with_rights

FRESH = 4.0  # seconds
NO_ID = UUID(int=0)
MOST = 10_000  # tokens that a process remembers
ALWAYS = frozenset({CallerKind.TOKEN, CallerKind.AGENT_KEY})
"""Callers whose credential is a setting: it is theirs for as long as the process runs."""

NOBODY = AnonymousUser()
"""The user of a caller who is no person."""

log = logging.getLogger("coordinator.accounts")

Recognized: TypeAlias = tuple[User | AnonymousUser, Caller]


@dataclass(slots=True)
class _Memory:
    """What this process knows, and since when; None: that a token is not recognized."""

    tokens: OrderedDict[bytes, tuple[float, Recognized | None]] = field(default_factory=OrderedDict)
    issued: tuple[float, bool] | None = None
    lock: Lock = field(default_factory=Lock)


_memory = _Memory()


def of(digest: bytes) -> Recognized | None:
    """Who sends the token of this digest; None if no live token has it."""
    now = time.monotonic()
    known = _memory.tokens.get(digest)
    if known is not None and now - known[0] < FRESH:
        return known[1]
    found = _look_up(digest)
    with _memory.lock:
        _memory.tokens[digest] = now, found
        _memory.tokens.move_to_end(digest)
        while len(_memory.tokens) > MOST:
            _memory.tokens.popitem(last=False)
    return found


def any_issued() -> bool:
    """Whether a live token has been issued; those of sign-ins do not count, as sessions do not.

    While the database is away, what was known before goes on: so its health can be asked for.
    """
    now = time.monotonic()
    known = _memory.issued
    if known is not None and now - known[0] < FRESH:
        return known[1]
    try:
        issued = ApiToken.objects.issued().exists()
    except (Error, InterfaceError):
        if known is None:
            raise
        issued = known[1]
    _memory.issued = now, issued
    return issued


def forget() -> None:
    """Look everything up again: a token was issued or revoked."""
    with _memory.lock:
        _memory.tokens.clear()
        _memory.issued = None


def no_longer(among: Collection[Caller]) -> set[Caller]:
    """Those of the callers who are not recognized any more, or have lost a right."""
    rights = _rights_by_token({caller.token_id for caller in among if caller.token_id})
    people = {caller.user_id for caller in among if caller.kind == CallerKind.USER}
    rights |= _rights_by_user({user_id for user_id in people if user_id})
    gone = {caller for caller in among if not _is_still(caller, rights)}
    if gone:
        forget()  # so that they are not let in when they come again at once
    return gone


def _rights_by_token(ids: Collection[UUID]) -> dict[UUID, frozenset[str]]:
    if not ids:
        return {}
    tokens = ApiToken.objects.live().with_rights().filter(pk__in=ids).order_by()
    return {token.pk: callers.of_token(token).rights for token in tokens}


def _rights_by_user(ids: Collection[UUID]) -> dict[UUID, frozenset[str]]:
    if not ids:
        return {}
    users = with_rights(User.objects.filter(pk__in=ids, is_active=True), "pk")
    return {user.pk: callers.rights_read(user, user) for user in users}


def _is_still(caller: Caller, rights: Mapping[UUID, frozenset[str]]) -> bool:
    if caller.kind in ALWAYS:
        return True
    if caller.kind == CallerKind.LOCAL:
        return not any_issued()
    found = rights.get(caller.token_id or caller.user_id or NO_ID)
    return found is not None and caller.rights <= found


def _look_up(digest: bytes) -> Recognized | None:
    token = ApiToken.objects.live().with_rights().filter(digest=digest).order_by().first()
    if token is None or not hmac.compare_digest(bytes(token.digest), digest):
        return None
    if token.last_used_at is None or timezone.now() - token.last_used_at > USED_AGAIN_AFTER:
        _note_use(token)
    return token.user or NOBODY, callers.of_token(token)


def _note_use(token: ApiToken) -> None:
    """Note that the token is used, once a minute, in a transaction of its own.

    It waits for nobody who has the row, and its failure is no failure of the request.
    """
    try:
        with transaction.atomic():
            noted = ApiToken.objects.unnoted([token.pk]).select_for_update(
                skip_locked=True, no_key=True
            )
            if noted.values_list("pk").first():
                ApiToken.objects.filter(pk=token.pk).update(last_used_at=Now())
    except Error as failure:
        log.warning("A token's use was not noted.", extra={"error": type(failure).__name__})
