"""What was used of models, by whom, and how each call was routed: plain values, without keys."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from agents.models import ID_LENGTH
from api.fields import LONGEST_NAME
from routing.candidates import Intent, Scoring, Service
from routing.querysets import SnapshotQuerySet, UsageQuerySet

REQUEST_ID = 26  # characters of a ULID
LONGEST_OF_MODEL = 128
"""Characters of the name of a provider or a model: what is used is found by both and three more."""


class UsageCounter(models.Model):
    """What was used on a day (UTC), by whom and of which model. It outlives all of them."""

    day = models.DateField(_("day"))
    provider = models.CharField(_("provider"), max_length=LONGEST_OF_MODEL)
    model = models.CharField(_("model"), max_length=LONGEST_OF_MODEL)
    tenant_id = models.UUIDField(_("user"), null=True, blank=True)
    agent = models.CharField(_("agent"), max_length=ID_LENGTH, blank=True, default="")
    channel = models.CharField(_("channel"), max_length=LONGEST_NAME, blank=True, default="")
    calls = models.BigIntegerField(_("calls"))
    input_tokens = models.BigIntegerField(_("tokens in"))
    output_tokens = models.BigIntegerField(_("tokens out"))
    cost = models.DecimalField(_("USD"), max_digits=24, decimal_places=9)

    objects = UsageQuerySet.as_manager()

    class Meta:
        verbose_name = _("usage")
        verbose_name_plural = _("usage")
        ordering = ["-day", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["day", "provider", "model", "tenant_id", "agent", "channel"],
                name="usage_is_one_of_its_day",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.provider}/{self.model}"


class UsageTotal(models.Model):
    """What was ever used of a model: the sum of its days, also of those that are not kept."""

    provider = models.CharField(max_length=LONGEST_OF_MODEL)
    model = models.CharField(max_length=LONGEST_OF_MODEL)
    calls = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cost = models.DecimalField(max_digits=24, decimal_places=9)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "model"], name="usage_total_is_of_a_model")
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class FailoverTotal(models.Model):
    """How often calls went on to another candidate, ever, for this reason."""

    reason = models.CharField(max_length=40, primary_key=True)
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.reason}: {self.count}"


class Outcome(models.TextChoices):
    """What became of a call. `ranked`: somebody asked for the order alone."""

    RANKED = "ranked", _("ranked")
    ANSWERED = "answered", _("answered")
    REFUSED = "refused", _("refused")
    UNANSWERED = "unanswered", _("unanswered")


class RoutingSnapshot(models.Model):
    """How one call was routed, and what became of it; without a word of it, and without a secret.

    `ranked` are the first candidates with their scores, `attempts` the calls that were made.
    """

    id = models.BigAutoField(primary_key=True)
    request_id = models.CharField(_("request"), max_length=REQUEST_ID)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    service = models.CharField(_("service"), max_length=16, choices=Service)
    intent = models.CharField(_("intent"), max_length=16, choices=Intent)
    tenant_id = models.UUIDField(_("user"), null=True, blank=True)
    agent = models.CharField(_("agent"), max_length=ID_LENGTH, blank=True, default="")
    channel = models.CharField(_("channel"), max_length=LONGEST_NAME, blank=True, default="")
    request = models.JSONField(_("asked"), default=dict)
    intended_model = models.CharField(
        _("intended model"), max_length=2 * LONGEST_NAME + 1, blank=True, default=""
    )
    selected_provider = models.CharField(
        _("provider"), max_length=LONGEST_NAME, blank=True, default=""
    )
    selected_model = models.CharField(_("model"), max_length=LONGEST_NAME, blank=True, default="")
    selected_region = models.CharField(_("region"), max_length=LONGEST_NAME, blank=True, default="")
    ranked = models.JSONField(_("ranked"), default=list)
    excluded = models.JSONField(_("excluded"), default=list)
    attempts = models.JSONField(_("attempts"), default=list)
    degraded = models.BooleanField(_("degraded"), default=False)
    reason = models.CharField(_("reason"), max_length=40, blank=True, default="")
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome)
    policy_version = models.CharField(_("policies"), max_length=40)
    scoring = models.CharField(_("scoring"), max_length=4, choices=Scoring)
    failovers = models.IntegerField(_("failovers"), default=0)
    input_tokens = models.BigIntegerField(_("tokens in"), default=0)
    output_tokens = models.BigIntegerField(_("tokens out"), default=0)
    cost = models.DecimalField(_("USD"), default=0, max_digits=24, decimal_places=9)
    is_estimated = models.BooleanField(
        _("estimated"), default=False, help_text=_("The provider did not say how many tokens.")
    )
    latency_ms = models.FloatField(_("milliseconds of the ranking"), default=0)

    objects = SnapshotQuerySet.as_manager()

    class Meta:
        verbose_name = _("routing snapshot")
        verbose_name_plural = _("routing snapshots")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["service", "-id"], name="snapshot_latest"),
            models.Index(fields=["request_id"], name="snapshot_of_request"),
            BrinIndex(fields=["created_at"], name="snapshot_by_time"),
        ]

    def __str__(self) -> str:
        return self.request_id
