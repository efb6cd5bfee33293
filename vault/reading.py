"""Reads secrets out of the vault, for other rooms and for the API.

    from vault.exceptions import VaultProblem
    from vault.reading import Selector, read

    secret = read(Selector(provider="openai", service="chat"), by="routing")

Nothing is remembered: a key that another process revokes or rotates is so at the next read.
"""

from dataclasses import replace

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from vault import audit, seals
from vault.audit import By, subject_of
from vault.exceptions import (
    KeyExpired,
    KeyNotYet,
    KeyOutOfScope,
    KeyRefused,
    KeyRevoked,
    KeyUnknown,
    Subject,
    VaultProblem,
)
from vault.models import KeyStatus, KeyVersion, Operation, SecureKey
from vault.selectors import Secret, Selector

__all__ = ["Secret", "Selector", "read"]

MOST_TRIED = 50
"""Keys that may fit a selector; the best are tried until one may be read."""


def read(selector: Selector, *, by: By | str) -> Secret:
    """The secret of the key that a selector means; the read is counted and audited.

    Call it outside of a transaction: a failure's row of the audit is written once the one of this
    function has ended, and would go with yours. Raises a VaultProblem: KeyUnknown, KeyExpired,
    KeyRevoked, KeyNotYet, KeyOutOfScope, KeyTampered, KeyUnreadable, EncryptionKeyMissing, or
    KeyRefused where the selector names nothing.
    """
    wanted = replace(selector, env=selector.env or settings.KEY_VAULT_MODE)
    by = By.of(by)
    with audit.failures(Operation.READ, asked_for(wanted), by), transaction.atomic():
        version = _counted(wanted)
        secret = seals.opened(version)
        audit.succeeded(Operation.READ, subject_of(version), by=by)
    return Secret(
        value=secret,
        key_id=version.key_id,
        name=version.key.name,
        env=version.key.env,
        version=version.version,
        checksum=version.checksum,
        expires_at=version.expires_at,
    )


def found(selector: Selector) -> KeyVersion:
    """The version that a selector means and that may be read now. Raises a VaultProblem."""
    if not any((selector.name, selector.alias, selector.provider)):
        raise KeyRefused("name", "or alias or provider is required")
    problem: VaultProblem | None = None
    for key in SecureKey.objects.fitting(selector)[:MOST_TRIED]:
        try:
            return _of_key(key, selector)
        except VaultProblem as refused:
            problem = problem or refused
    raise problem or KeyUnknown(f"There is no key {asked_for(selector).name} in {selector.env}.")


def _counted(selector: Selector) -> KeyVersion:
    """The same, once its use is counted: what was revoked while this waited for its row is not."""
    while True:
        version = found(selector)
        active = KeyVersion.objects.filter(pk=version.pk, status=KeyStatus.ACTIVE)
        if active.update(usage_count=F("usage_count") + 1, last_used_at=Now()):
            return version


def asked_for(selector: Selector) -> Subject:
    """What a selector asks for, in the audit."""
    parts = (selector.provider, selector.service, selector.resource)
    name = selector.name or selector.alias or "/".join(filter(None, parts))
    return Subject(name=name, env=selector.env, version=selector.version)


def _of_key(key: SecureKey, selector: Selector) -> KeyVersion:
    """The version that is asked for, else the newest that is active and has begun."""
    subject = Subject(key.pk, key.name, key.env, selector.version)
    if selector.service and key.scopes and selector.service not in key.scopes:
        raise KeyOutOfScope(f"{key} is not for {selector.service}.").about(subject)
    rows = KeyVersion.objects.filter(key=key).select_related("key").with_times()
    if selector.version is not None:
        version = rows.filter(version=selector.version).first()
    else:
        active = rows.filter(status=KeyStatus.ACTIVE).order_by("-version")
        version = active.begun().first() or active.first() or rows.first()
    if version is None:
        raise KeyUnknown(f"{key} has no version {selector.version}.").about(subject)
    _check(version)
    return version


def _check(version: KeyVersion) -> None:
    which = f"Version {version.version} of {version.key}"
    if version.status == KeyStatus.REVOKED:
        raise KeyRevoked(f"{which} was revoked at {version.revoked_at:%Y-%m-%d %H:%M} UTC.").about(
            subject_of(version)
        )
    if version.is_over:
        raise KeyExpired(f"{which} expired at {version.expires_at:%Y-%m-%d %H:%M} UTC.").about(
            subject_of(version)
        )
    if not version.has_begun:
        raise KeyNotYet(
            f"{which} may be used from {version.not_before_at:%Y-%m-%d %H:%M} UTC on."
        ).about(subject_of(version))
