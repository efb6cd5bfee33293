"""Providers of language models, their models, policies and health."""

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from api.fields import LONGEST_NAME
from routing.addresses import check_address, check_headers, check_regions
from routing.call_models import (
    LONGEST_OF_MODEL,
    FailoverTotal,
    Outcome,
    RoutingSnapshot,
    UsageCounter,
    UsageTotal,
)
from routing.candidates import Service
from routing.policies import MergeStrategy, check_action, check_conditions
from routing.querysets import (
    HealthQuerySet,
    ModelQuerySet,
    PolicyQuerySet,
)

__all__ = [
    "FailoverTotal",
    "LanguageModel",
    "Outcome",
    "Parked",
    "Provider",
    "ProviderHealth",
    "RoutingPolicy",
    "RoutingSnapshot",
    "UsageCounter",
    "UsageTotal",
]
LONGEST_URL = 500
DEVIATIONS = 2
"""How many mean deviations above the mean the 95th percentile is taken to be."""


def price(name: object) -> models.DecimalField:
    return models.DecimalField(
        name,  # type: ignore[arg-type]  # a lazy text
        default=0,
        validators=[MinValueValidator(0)],
        max_digits=18,
        decimal_places=9,
    )


class Provider(models.Model):
    """Who serves models by an OpenAI-compatible API.

    A header of `headers` may have `{key}`, in whose place the key is sent.
    """

    name = models.CharField(
        _("name"),
        max_length=LONGEST_OF_MODEL,
        unique=True,
        help_text=_("As the key vault and policies call it, such as openai."),
    )
    base_url = models.CharField(
        _("base URL"),
        max_length=LONGEST_URL,
        validators=[check_address],
        help_text=_("What stands before /chat/completions, such as https://api.openai.com/v1"),
    )
    regions = models.JSONField(
        _("regions"),
        default=dict,
        blank=True,
        validators=[check_regions],
        help_text=_('Base URLs by region, such as {"eu": "https://eu.example.org/v1"}.'),
    )
    headers = models.JSONField(
        _("headers"),
        default=dict,
        blank=True,
        validators=[check_headers],
        help_text=_('Headers beside the usual ones; {"api-key": "{key}"} sends the key as that.'),
    )
    needs_key = models.BooleanField(_("needs a key"), default=True)
    enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="provider_has_a_name")]

    def __str__(self) -> str:
        return self.name


class LanguageModel(models.Model):
    """A model that a provider serves, with its prices and limits."""

    provider = models.ForeignKey(
        Provider, models.CASCADE, related_name="models", verbose_name=_("provider")
    )
    name = models.CharField(_("name"), max_length=LONGEST_OF_MODEL)
    service = models.CharField(_("service"), max_length=16, choices=Service, default=Service.CHAT)
    context_limit = models.PositiveIntegerField(
        _("context"), help_text=_("Tokens of question and answer together.")
    )
    max_tokens = models.PositiveIntegerField(
        _("longest answer"), null=True, blank=True, help_text=_("Tokens; empty: no limit.")
    )
    default_region = models.CharField(
        _("region"),
        max_length=LONGEST_NAME,
        blank=True,
        default="",
        help_text=_("Where it is served, if its provider names no regions."),
    )
    input_usd_per_1k = price(_("USD for 1,000 tokens in"))
    output_usd_per_1k = price(_("USD for 1,000 tokens out"))
    cold_start = models.BooleanField(
        _("cold start"), default=False, help_text=_("It is slow after ten minutes without a call.")
    )
    enabled = models.BooleanField(_("enabled"), default=True)

    objects = ModelQuerySet.as_manager()

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["provider", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "name"], name="model_is_unique_at_its_provider"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="model_has_a_name"),
            models.CheckConstraint(
                condition=Q(input_usd_per_1k__gte=0, output_usd_per_1k__gte=0),
                name="model_costs_nothing_or_more",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}"


class RoutingPolicy(models.Model):
    """What holds for calls that match: which models may serve them, and within which limits."""

    name = models.CharField(_("name"), max_length=LONGEST_NAME, unique=True)
    priority = models.IntegerField(
        _("priority"), default=100, help_text=_("The smallest is looked at first.")
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    match_conditions = models.JSONField(
        _("for which calls"),
        default=dict,
        blank=True,
        validators=[check_conditions],
        help_text=_('Such as {"intent": ["code", "chat"]}; nothing: for all.'),
    )
    action = models.JSONField(
        _("what holds"),
        default=dict,
        blank=True,
        validators=[check_action],
        help_text=_('Such as {"deny": ["openai/gpt-4o"], "max_error_rate": 0.3}.'),
    )
    description = models.TextField(_("description"), blank=True, default="", max_length=2_000)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_to = models.DateTimeField(_("valid to"), null=True, blank=True)
    merge_strategy = models.CharField(
        _("with those before it"),
        max_length=16,
        choices=MergeStrategy,
        default=MergeStrategy.FIRST_MATCH,
    )

    objects = PolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("routing policy")
        verbose_name_plural = _("routing policies")
        ordering = ["priority", "name"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="policy_has_a_name"),
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_to=None) | Q(valid_from__lt=F("valid_to")),
                name="policy_begins_before_it_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.valid_from and self.valid_to and self.valid_from >= self.valid_to:
            raise ValidationError({"valid_to": _("It must be after the time from which it holds.")})


class Parked(models.TextChoices):
    """Why nobody calls a provider for a while."""

    RATE_LIMITED = "rate_limited", _("rate limited")
    OVERLOADED = "overloaded", _("overloaded")
    BAD_KEY = "bad_key", _("the key is refused")
    NO_KEY = "no_key", _("there is no key")


class ProviderHealth(models.Model):
    """How a provider was in a region: moving averages, to which a call adds a fifth.

    `updated_at` is when it was last measured, `parked_until` until when nobody calls it.
    """

    provider = models.ForeignKey(
        Provider, models.CASCADE, related_name="health", verbose_name=_("provider")
    )
    region = models.CharField(_("region"), max_length=LONGEST_NAME, blank=True, default="")
    latency_ms = models.FloatField(_("milliseconds"), null=True, blank=True)
    deviation_ms = models.FloatField(_("mean deviation"), default=0)
    error_rate = models.FloatField(_("share of errors"), default=0)
    calls = models.BigIntegerField(_("calls"), default=0)
    updated_at = models.DateTimeField(_("measured"), null=True, blank=True)
    parked_until = models.DateTimeField(_("not called before"), null=True, blank=True)
    parked_because = models.CharField(
        _("because"), max_length=16, choices=Parked, blank=True, default=""
    )
    last_error = models.CharField(_("last error"), max_length=40, blank=True, default="")
    last_error_at = models.DateTimeField(_("last error at"), null=True, blank=True)

    objects = HealthQuerySet.as_manager()

    class Meta:
        verbose_name = _("health of a provider")
        verbose_name_plural = _("health of providers")
        ordering = ["provider", "region"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "region"], name="health_is_one_of_its_place"
            ),
            models.CheckConstraint(
                condition=Q(error_rate__gte=0, error_rate__lte=1), name="error_rate_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.region}".strip()

    @property
    def p50_ms(self) -> float | None:
        return self.latency_ms

    @property
    def p95_ms(self) -> float | None:
        """An estimate, from the mean and the mean deviation."""
        if self.latency_ms is None:
            return None
        return self.latency_ms + DEVIATIONS * self.deviation_ms

    @property
    def success_rate(self) -> float:
        return 1 - self.error_rate
