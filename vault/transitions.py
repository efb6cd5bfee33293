"""Everything that changes keys: upsert, rotate, revoke, reseal. Each is audited, also if it fails.

All versions stay, so that nothing is lost. A key's row is locked before its versions change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts import sealing
from vault import audit, seals
from vault.audit import By, subject_of
from vault.exceptions import (
    NO_KEY,
    AliasTaken,
    KeyRefused,
    KeyRevoked,
    KeyUnknown,
    Subject,
    VaultProblem,
)
from vault.models import NAME_LENGTH, KeyStatus, KeyVersion, Operation, SecureKey

NEAR = timedelta(hours=24)
"""A version that would expire sooner is refused."""
LONGEST_VALUE = 64 * 1024  # characters


class Stored(NamedTuple):
    """The version that was made."""

    key_id: UUID
    version: int


class ResealedKeys(NamedTuple):
    """The last version that was tried, how many were sealed anew, and why others were not."""

    last: int | None
    done: int
    problems: Sequence[VaultProblem]


@dataclass(frozen=True, slots=True)
class Times:
    """From when to when a version may be read, and when it should be rotated."""

    not_before_at: datetime | None = None
    expires_at: datetime | None = None
    rotate_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A key as it is to be: of what is None, a key that there is keeps its own.

    Without a name it is named after what it is for.
    """

    value: str = field(repr=False)
    provider: str
    name: str = ""
    env: str = ""
    service: str | None = None
    resource: str | None = None
    region: str | None = None
    alias: str | None = None
    scopes: Sequence[str] | None = None
    times: Times = Times()

    @property
    def subject(self) -> Subject:
        name = self.name or "/".join(filter(None, (self.provider, self.service, self.resource)))
        return Subject(name=name, env=self.env or settings.KEY_VAULT_MODE)


def upsert(draft: Draft, *, by: By | str) -> Stored:
    """Make a key, or the next version of the key of this name.

    Of two at once, one waits for the other. Raises KeyRefused, AliasTaken or EncryptionKeyMissing.
    """
    by = By.of(by)
    with audit.failures(Operation.WRITE, draft.subject, by), transaction.atomic():
        check(draft.value, draft.times)
        key = _described(draft, by)
        version = _add_version(key, draft.value, draft.times, by)
        audit.succeeded(Operation.WRITE, subject_of(version), by=by)
    return Stored(key.pk, version.version)


def rotate(
    key_id: UUID, *, value: str | None = None, times: Times | None = None, by: By | str
) -> Stored:
    """Make the next version of a key, with a new secret.

    Without one it is the same secret, with the same times unless others are given. Raises
    KeyUnknown, KeyRefused, and without a new one what keeps the old one from being opened.
    """
    by = By.of(by)
    with audit.failures(Operation.ROTATE, Subject(key_id), by), transaction.atomic():
        key = _locked(key_id)
        if value is None:
            old = _newest(key)
            value = seals.opened(old)
            times = times or Times(old.not_before_at, old.expires_at, old.rotate_after)
        times = times or Times()
        check(value, times, about=_subject(key))
        version = _add_version(key, value, times, by)
        audit.succeeded(Operation.ROTATE, subject_of(version), by=by)
    return Stored(key.pk, version.version)


def revoke(key_id: UUID, *, reason: str, version: int | None = None, by: By | str) -> SecureKey:
    """Revoke a key in all its versions, or one of these. Revoking it again changes nothing.

    Raises KeyUnknown.
    """
    by = By.of(by)
    about = Subject(key_id, version=version)
    with audit.failures(Operation.REVOKE, about, by), transaction.atomic():
        key = _locked(key_id)
        rows = KeyVersion.objects.filter(key=key)
        if version is not None:
            rows = rows.filter(version=version)
            if not rows.exists():
                raise KeyUnknown(f"{key} has no version {version}.").about(_subject(key))
        active = rows.filter(status=KeyStatus.ACTIVE)
        # In the order in which they are resealed.
        list(active.order_by("pk").select_for_update(no_key=True).values_list("pk"))
        active.update(status=KeyStatus.REVOKED, revoked_at=Now())
        if not KeyVersion.objects.filter(key=key, status=KeyStatus.ACTIVE).exists():
            _change(key, by, status=KeyStatus.REVOKED)
        subject = _subject(key)._replace(version=version)
        audit.succeeded(Operation.REVOKE, subject, by=by, reason=reason)
    return key


def reseal(*, after: int, most: int, by: By | str) -> ResealedKeys:
    """Seal up to `most` versions behind `after` anew that another encryption key has sealed.

    Those that cannot be opened stay as they are, and are named. The numbers of versions, and when
    they were used, stay too.
    """
    by, label, problems = By.of(by), sealing.label(), list[VaultProblem]()
    with transaction.atomic():
        rows = KeyVersion.objects.exclude(sealed_by=label).filter(pk__gt=after).order_by("pk")
        locked = rows.select_related("key").select_for_update(no_key=True, of=["self"])
        found = list(locked[:most])
        for version in found:
            try:
                secret = seals.opened(version)
            except VaultProblem as problem:
                problems.append(problem)
                continue
            sealed = seals.sealed(secret, version.key_id, version.version)
            KeyVersion.objects.filter(pk=version.pk).update(sealed=sealed, sealed_by=label)
            audit.succeeded(Operation.RESEAL, subject_of(version), by=by)
    for refused in problems:
        audit.note(Operation.RESEAL, refused, by=by)
    last = found[-1].pk if found else None
    return ResealedKeys(last, len(found) - len(problems), problems)


def check(value: str, times: Times, *, about: Subject = NO_KEY) -> None:
    """Raises KeyRefused where a version with this secret and these times would be none."""
    if not value.strip():
        raise KeyRefused("value", "must not be blank").about(about)
    if len(value) > LONGEST_VALUE:
        raise KeyRefused("value", f"must not be longer than {LONGEST_VALUE} characters").about(
            about
        )
    now = timezone.now()
    begins = max(times.not_before_at or now, now)
    if times.expires_at is not None and times.expires_at - begins < NEAR:
        hours = NEAR // timedelta(hours=1)
        raise KeyRefused(
            "expires_at", f"must be at least {hours} hours after the key may first be used"
        ).about(about)


def _described(draft: Draft, by: By) -> SecureKey:
    """The key of this name, locked, with what is now said of it."""
    about = draft.subject
    if len(about.name) > NAME_LENGTH:
        why = "also when it is made of provider, service and resource"
        raise KeyRefused("name", f"must not be longer than {NAME_LENGTH} characters, {why}")
    told = {
        name: value
        for name in ("provider", "service", "resource", "region", "alias", "scopes")
        if (value := getattr(draft, name)) is not None
    }
    new = SecureKey(name=about.name, env=about.env, created_by=by.actor, **told)
    SecureKey.objects.bulk_create([new], ignore_conflicts=True)
    named = SecureKey.objects.filter(name=about.name, env=about.env)
    key = named.select_for_update(no_key=True).first()
    if key is None:  # so it was the alias that another key has
        raise AliasTaken(f"Another key of {about.env} has the alias {draft.alias}.").about(about)
    _change(key, by, **told)
    return key


def _add_version(key: SecureKey, value: str, times: Times, by: By) -> KeyVersion:
    number = key.latest + 1
    version = KeyVersion(
        key=key,
        version=number,
        sealed=seals.sealed(value, key.pk, number),
        sealed_by=sealing.label(),
        checksum=seals.checksum_of(value),
        not_before_at=times.not_before_at,
        expires_at=times.expires_at,
        rotate_after=times.rotate_after,
        created_by=by.actor,
    )
    version.save(force_insert=True)
    _change(key, by, latest=number, status=KeyStatus.ACTIVE)
    return version


def _change(key: SecureKey, by: By, **columns: object) -> None:
    """Change the row of a key that is locked."""
    for name, value in {**columns, "updated_by": by.actor}.items():
        setattr(key, name, value)
    try:
        with transaction.atomic():
            SecureKey.objects.filter(pk=key.pk).update(
                **columns, updated_by=by.actor, updated_at=Now()
            )
    except IntegrityError:
        raise AliasTaken(f"Another key of {key.env} has the alias {key.alias}.").about(
            _subject(key)
        ) from None


def _locked(key_id: UUID) -> SecureKey:
    key = SecureKey.objects.select_for_update(no_key=True).filter(pk=key_id).first()
    if key is None:
        raise KeyUnknown(f"There is no key {key_id}.")
    return key


def _newest(key: SecureKey) -> KeyVersion:
    """The newest version that is active. Raises KeyRevoked."""
    rows = KeyVersion.objects.filter(key=key, status=KeyStatus.ACTIVE).select_related("key")
    version = rows.order_by("-version").first()
    if version is None:
        raise KeyRevoked(f"{key} was revoked: rotate it with a new value.").about(_subject(key))
    return version


def _subject(key: SecureKey) -> Subject:
    return Subject(key.pk, key.name, key.env)
