"""A key, its versions with their sealed secrets, and the audit of all that is done with them.

Only `vault.transitions` and `vault.reading` write here.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now, Substr
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from accounts.sealing import LABEL
from vault.querysets import KeyQuerySet, KeyVersionQuerySet
from vault.triggers import AUDIT_TRIGGERS

NAME_LENGTH = 200
ENV_LENGTH = 32
SCOPE_LENGTH = 64
MOST_SCOPES = 100
DIGEST = 64  # characters of a SHA-256 in hex
TOKEN = b"gAAAA"
"""How everything begins that Fernet has sealed."""


class KeyStatus(models.TextChoices):
    ACTIVE = "active", _("Active")
    REVOKED = "revoked", _("Revoked")


class Operation(models.TextChoices):
    """What is done with keys. `FAIL` stands for each of them that did not succeed."""

    READ = "read", _("Read")
    WRITE = "write", _("Write")
    ROTATE = "rotate", _("Rotate")
    REVOKE = "revoke", _("Revoke")
    RESEAL = "reseal", _("Reseal")
    FAIL = "fail", _("Failure")


class SecureKey(models.Model):
    """What is said of a key in all its versions: its name, and what it is for.

    `latest` is the number of its newest version. It is revoked once all its versions are; the next
    version makes it active again.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    env = models.CharField(_("environment"), max_length=ENV_LENGTH)
    provider = models.CharField(_("provider"), max_length=NAME_LENGTH, blank=True, default="")
    service = models.CharField(_("service"), max_length=NAME_LENGTH, blank=True, default="")
    resource = models.CharField(_("resource"), max_length=NAME_LENGTH, blank=True, default="")
    region = models.CharField(_("region"), max_length=NAME_LENGTH, blank=True, default="")
    alias = models.CharField(_("alias"), max_length=NAME_LENGTH, blank=True, default="")
    scopes = ArrayField(
        models.CharField(max_length=SCOPE_LENGTH),
        verbose_name=_("scopes"),
        default=list,
        blank=True,
        help_text=_("The services that it is for; empty: any."),
    )
    status = models.CharField(
        _("status"), max_length=8, choices=KeyStatus, default=KeyStatus.ACTIVE
    )
    latest = models.IntegerField(_("newest version"), default=0)
    created_by = models.TextField(_("made by"), default="")
    updated_by = models.TextField(_("changed by"), default="")
    created_at = models.DateTimeField(_("made"), db_default=Now())
    updated_at = models.DateTimeField(_("changed"), db_default=Now())

    objects = KeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("key")
        verbose_name_plural = _("keys")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["env", "provider", "service", "resource"], name="secure_key_for")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["name", "env"],
                name="secure_key_name_is_unique_in_its_environment",
                violation_error_message=_("There is such a key: rotate it instead."),
            ),
            models.UniqueConstraint(
                fields=["alias", "env"],
                condition=~Q(alias=""),
                name="secure_key_alias_is_unique_in_its_environment",
                violation_error_message=_("Another key of this environment has the alias."),
            ),
            models.CheckConstraint(
                condition=~Q(name="") & ~Q(env=""), name="secure_key_has_a_name"
            ),
            models.CheckConstraint(condition=Q(latest__gte=0), name="secure_key_counts_from_zero"),
            models.CheckConstraint(
                condition=Q(status__in=KeyStatus.values), name="secure_key_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.env})"


class KeyVersion(models.Model):
    """One secret of a key, sealed. A database refuses what Fernet has not sealed."""

    key = models.ForeignKey(
        SecureKey, models.PROTECT, related_name="versions", db_index=False
    )  # its uniqueness is an index
    version = models.IntegerField(help_text="From 1.")
    status = models.CharField(max_length=8, choices=KeyStatus, default=KeyStatus.ACTIVE)
    sealed = models.BinaryField()
    sealed_by = models.CharField(
        max_length=LABEL, help_text="The label of the encryption key that has sealed it."
    )
    checksum = models.CharField(max_length=DIGEST, help_text="SHA-256 of the secret.")
    not_before_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    rotate_after = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    usage_count = models.BigIntegerField(default=0)
    created_by = models.TextField(default="")
    created_at = models.DateTimeField(db_default=Now())
    revoked_at = models.DateTimeField(null=True)

    objects = KeyVersionQuerySet.as_manager()

    has_begun: bool  # set by `KeyVersionQuerySet.with_times`
    is_over: bool

    class Meta:
        ordering = ["key", "-version"]
        indexes = [models.Index(fields=["sealed_by", "id"], name="key_version_sealed_by")]
        constraints = [
            models.UniqueConstraint(fields=["key", "version"], name="key_version_has_its_number"),
            models.CheckConstraint(condition=Q(version__gte=1), name="key_version_is_from_one"),
            models.CheckConstraint(
                condition=Exact(Substr("sealed", 1, len(TOKEN)), Value(TOKEN)),
                name="key_version_is_sealed",
            ),
            models.CheckConstraint(
                condition=Q(status=KeyStatus.ACTIVE, revoked_at=None)
                | Q(status=KeyStatus.REVOKED, revoked_at__isnull=False),
                name="key_version_is_active_or_was_revoked",
            ),
            models.CheckConstraint(
                condition=Q(not_before_at=None)
                | Q(expires_at=None)
                | Q(not_before_at__lt=F("expires_at")),
                name="key_version_begins_before_it_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.version} of key {self.key_id}"


class KeyAudit(models.Model):
    """One operation on a key, by whom, and whether it succeeded; never changed once written.

    It names the key by plain values, also one that was asked for in vain. `reason` is a word for
    the failure, in a revocation what the person said.
    """

    created_at = models.DateTimeField(_("time"), db_default=Now())
    key_id = models.UUIDField(_("key"), null=True)
    name = models.CharField(_("name"), max_length=NAME_LENGTH, blank=True, default="")
    env = models.CharField(_("environment"), max_length=ENV_LENGTH, blank=True, default="")
    version = models.IntegerField(_("version"), null=True)
    event = models.CharField(_("event"), max_length=8, choices=Operation)
    operation = models.CharField(_("operation"), max_length=8, choices=Operation)
    actor = models.TextField(_("by"))
    ip = models.CharField(_("address"), max_length=64, blank=True, default="")
    user_agent = models.TextField(_("program"), blank=True, default="")
    trace_id = models.TextField(_("trace"), blank=True, default="")
    request_id = models.TextField(_("request"), blank=True, default="")
    success = models.BooleanField(_("succeeded"))
    reason = models.TextField(_("reason"), blank=True, default="")
    details = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = _("use of a key")
        verbose_name_plural = _("uses of keys")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["key_id", "id"], name="key_audit_of_key"),
            models.Index(fields=["id"], condition=Q(success=False), name="key_audit_of_failures"),
            BrinIndex(fields=["created_at"], name="key_audit_by_time", autosummarize=True),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(success=True, operation=F("event")) & ~Q(event=Operation.FAIL)
                | Q(success=False, event=Operation.FAIL) & ~Q(operation=Operation.FAIL),
                name="key_audit_says_what_failed",
            ),
        ]
        triggers = AUDIT_TRIGGERS

    def __str__(self) -> str:
        return f"{self.event} of {self.name}"


class KeyTally(models.Model):
    """How many rows of the audit there ever were of an event, written by a trigger with them.

    Each session counts in one of some slots, so that reads of keys seldom wait for one another.
    `reason` is that of a failure.
    """

    event = models.CharField(max_length=8)
    reason = models.CharField(max_length=64)
    slot = models.SmallIntegerField()
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event", "reason", "slot"], name="key_tally_is_one_of_its_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event}: {self.count}"
