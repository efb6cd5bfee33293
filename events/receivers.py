"""The audit of tokens, people and groups: who gave what to whom, in the same transaction."""

from typing import Any

from django.db.models import Model
from django.dispatch import receiver

from accounts.callers import Caller
from accounts.models import ApiToken
from accounts.signals import person_changed, token_issued, token_revoked
from events import audit
from events.audit import Entry, Snapshot

KIND = "apitoken"
IN_A_FORM = "admin form"


@receiver(token_issued)
def note_issued(token: ApiToken, caller: Caller, reason: str, **kwargs: Any) -> None:
    audit.write(caller, "issue", KIND, reason, [Entry(str(token.pk), after=snapshot(token))])


@receiver(token_revoked)
def note_revoked(token: ApiToken, caller: Caller, reason: str, **kwargs: Any) -> None:
    after = snapshot(token)
    before = {**after, "revoked_at": None}
    audit.write(caller, "revoke", KIND, reason, [Entry(str(token.pk), before, after)])


@receiver(person_changed)
def note_changed(
    row: Model, caller: Caller, verb: str, before: Snapshot, after: Snapshot, **kwargs: Any
) -> None:
    entry = Entry(str(row.pk), before, after)
    audit.write(caller, verb, row._meta.model_name or "", IN_A_FORM, [entry])


def snapshot(token: ApiToken) -> Snapshot:
    """What the audit keeps of a token: nothing that it could be guessed from."""
    return {
        "name": token.name,
        "role": token.role,
        "user": str(token.user_id) if token.user_id else None,
        "agent": token.agent,
        "agent_is_prefix": token.agent_is_prefix,
        "channels": token.channels,
        "scopes": token.scopes,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    }
