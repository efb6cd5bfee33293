"""Who is told what needs a person: receivers, the rules by which, and each message on its way.

Only `notifications.transitions` and `notifications.sending` write here.
"""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from dashboard.attention import Severity
from notifications.querysets import DeliveryQuerySet, RuleQuerySet

NAME_LENGTH = 100
KEY_LENGTH = 200
LONGEST_ERROR = 200
LONGEST_PLACE = 300
LONGEST_WAIT = 7 * 24 * 3600  # seconds


class ReceiverKind(models.TextChoices):
    WEBHOOK = "webhook", _("Webhook")
    MAIL = "mail", _("Mail")


class Receiver(models.Model):
    """Where messages go. Its URL and secret, or its address, are sealed: the path of a webhook's
    URL is often a secret, too. `place` is as much of it as may be seen.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=NAME_LENGTH, unique=True)
    kind = models.CharField(
        _("kind"), max_length=8, choices=ReceiverKind, default=ReceiverKind.WEBHOOK
    )
    place = models.CharField(_("place"), max_length=LONGEST_PLACE, blank=True, default="")
    sealed = models.BinaryField()
    language = models.CharField(
        _("language"), max_length=8, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE
    )
    enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        verbose_name = _("receiver of notifications")
        verbose_name_plural = _("receivers of notifications")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="receiver_has_a_name"),
            models.CheckConstraint(
                condition=Q(kind__in=ReceiverKind.values), name="receiver_kind_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Rule(models.Model):
    """What a receiver is told: which kinds of findings, from which severity, after how long."""

    name = models.CharField(_("name"), max_length=NAME_LENGTH, unique=True)
    receiver = models.ForeignKey(
        Receiver, models.CASCADE, verbose_name=_("receiver"), related_name="rules"
    )
    kinds = ArrayField(
        models.CharField(max_length=32),
        verbose_name=_("kinds"),
        default=list,
        blank=True,
        help_text=_("None chosen: all of them."),
    )
    severity = models.CharField(_("from severity"), max_length=8, default=Severity.WARNING.value)
    after_seconds = models.PositiveIntegerField(
        _("after (seconds)"),
        default=60,
        validators=[MaxValueValidator(LONGEST_WAIT)],
        help_text=_("It is told once it has lasted so long."),
    )
    repeat_seconds = models.PositiveIntegerField(
        _("again every (seconds)"),
        default=0,
        validators=[MaxValueValidator(LONGEST_WAIT)],
        help_text=_("While it lasts; 0: only once."),
    )
    tells_end = models.BooleanField(_("also when it is over"), default=True)
    enabled = models.BooleanField(_("enabled"), default=True)

    objects = RuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("rule of notifications")
        verbose_name_plural = _("rules of notifications")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="rule_has_a_name"),
            models.CheckConstraint(
                condition=Q(repeat_seconds=0) | Q(repeat_seconds__gte=60),
                name="rule_repeats_once_a_minute_at_most",
                violation_error_message=_("Once a minute is the most."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Watched(models.Model):
    """A finding that a rule has seen: since when, whether it was announced, and whether it is gone.

    `told` is the last message about it, which says what is over when it is over.
    """

    rule = models.ForeignKey(Rule, models.CASCADE, related_name="watched")
    key = models.CharField(max_length=KEY_LENGTH)
    seen_at = models.DateTimeField()
    announced_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    told = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "key"], name="rule_watches_a_finding_once")
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}:{self.key}"


class Event(models.TextChoices):
    """What a message is about."""

    BEGAN = "attention.began", _("Began")
    LASTS = "attention.lasts", _("Lasts")
    ENDED = "attention.ended", _("Ended")
    TEST = "attention.test", _("Test")


class DeliveryStatus(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    SENT = "sent", _("Sent")
    DEAD = "dead", _("Dead letter")


class Delivery(models.Model):
    """A message to a receiver: sent until it arrives, or a dead letter after the last attempt."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    receiver = models.ForeignKey(
        Receiver, models.CASCADE, verbose_name=_("receiver"), related_name="deliveries"
    )
    rule = models.CharField(_("rule"), max_length=NAME_LENGTH, blank=True, default="")
    event = models.CharField(_("event"), max_length=20, choices=Event)
    key = models.CharField(_("finding"), max_length=KEY_LENGTH, blank=True, default="")
    data = models.JSONField(_("data"))
    status = models.CharField(
        _("status"), max_length=8, choices=DeliveryStatus, default=DeliveryStatus.WAITING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("made"), db_default=Now())
    due_at = models.DateTimeField(_("next attempt"), db_default=Now())
    ended_at = models.DateTimeField(_("ended"), null=True)
    last_error = models.CharField(_("last error"), max_length=LONGEST_ERROR, blank=True, default="")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery of a notification")
        verbose_name_plural = _("deliveries of notifications")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["receiver", "due_at"],
                condition=Q(status=DeliveryStatus.WAITING),
                name="delivery_next",
            ),
            models.Index(fields=["status", "-id"], name="delivery_status"),
            models.Index(
                fields=["ended_at"], condition=Q(ended_at__isnull=False), name="delivery_ended"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=DeliveryStatus.values), name="delivery_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status=DeliveryStatus.WAITING, ended_at=None)
                | (~Q(status=DeliveryStatus.WAITING) & Q(ended_at__isnull=False)),
                name="delivery_has_ended_or_waits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.key}"
