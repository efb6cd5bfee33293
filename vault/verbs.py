"""What people may do to keys: rotate and revoke."""

from collections.abc import Callable

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.rights import ADMINISTER
from console.conditions import Values, When
from console.verbs import By, Preview, Verb, VerbResult
from vault import transitions
from vault.exceptions import VaultProblem
from vault.forms import moment_field, secret_field
from vault.models import KeyStatus, SecureKey
from vault.transitions import Times

ACTIVE = When(status=[KeyStatus.ACTIVE])
REVOKED = When(status=[KeyStatus.REVOKED])
ROTATE = "rotate"


def snapshot(key: SecureKey) -> dict[str, object]:
    """What the operators' audit keeps: nothing that a secret could be guessed from."""
    return {"name": key.name, "env": key.env, "status": key.status, "newest": key.latest}


def each(
    act: Callable[[SecureKey, By, Values], object],
) -> Callable[[QuerySet[SecureKey], By, Values], VerbResult]:
    """The `apply` of a verb. What refuses has noted that in the audit of keys, which stays."""

    def apply(rows: QuerySet[SecureKey], by: By, values: Values) -> VerbResult:
        handled = VerbResult()
        for key in rows:
            try:
                act(key, by, values)
            except VaultProblem as problem:
                handled.refused.append((key.pk, problem))
            else:
                handled.done.append(key.pk)
        return handled

    return apply


@each
def _rotate(key: SecureKey, by: By, values: Values) -> None:
    expires_at = values.get("expires_at")
    times = Times(expires_at=expires_at)  # type: ignore[arg-type]  # as its field has it
    transitions.rotate(key.pk, value=str(values["value"]), times=times, by=by.actor)


@each
def _revoke(key: SecureKey, by: By, values: Values) -> None:
    transitions.revoke(key.pk, reason=by.reason, by=by.actor)


KEY_VERBS: list[Verb[SecureKey]] = [
    Verb(
        ROTATE,
        _("Rotate"),
        [
            Preview(
                When(),
                ngettext_lazy(
                    "Gives %(count)d key a new value, which is read from now on.",
                    "Gives %(count)d keys a new value, which is read from now on.",
                    "count",
                ),
            ),
        ],
        _rotate,
        snapshot,
        permission=ADMINISTER,
        fields={"value": secret_field(), "expires_at": moment_field()},
        icon="autorenew",
    ),
    Verb(
        "revoke",
        _("Revoke"),
        [
            Preview(
                ACTIVE,
                ngettext_lazy(
                    "Revokes %(count)d key in all its versions: nobody reads it any more.",
                    "Revokes %(count)d keys in all their versions: nobody reads them any more.",
                    "count",
                ),
            ),
            Preview(
                REVOKED,
                ngettext_lazy(
                    "%(count)d is revoked already.", "%(count)d are revoked already.", "count"
                ),
            ),
        ],
        _revoke,
        snapshot,
        ACTIVE,
        permission=ADMINISTER,
        icon="block",
        danger=True,
    ),
]
