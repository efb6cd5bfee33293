"""Providers, models and policies in the admin; their health, usage and snapshots to be read."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import JSONField, Model, TextField
from django.forms import ModelForm
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from api import body
from console.editing import EditedAdmin
from console.lists import ReadOnlyAdmin
from problems import Problem
from routing.addresses import is_read_by_others
from routing.models import (
    LanguageModel,
    Provider,
    ProviderHealth,
    RoutingPolicy,
    RoutingSnapshot,
    UsageCounter,
)


class ObjectField(forms.JSONField):
    """A JSON object that the database can store; an empty text is one without members."""

    def to_python(self, value: object) -> object:  # type: ignore[override]  # the stubs say text
        if not isinstance(value, str):
            return value or {}
        if not value.strip():
            return {}
        try:
            parsed = body.parse(value.encode(errors="replace"))
        except body.NotJson as problem:
            why = problem.message.partition(": ")[2]
            raise ValidationError(_("This is not JSON: %(why)s") % {"why": why}) from None
        except Problem as problem:
            raise ValidationError(problem.message) from None
        if not isinstance(parsed, dict):
            raise ValidationError(_("This must be an object."))
        return parsed

    def bound_data(self, data: object, initial: object) -> object:
        """What was sent, as it was: Django would parse it once more, and some texts end that."""
        return initial if self.disabled else InvalidJSONInput(data or "")


class SetByAdministrators(EditedAdmin):
    """Rows that administrators set."""

    deleted_along = (ProviderHealth,)
    formfield_overrides = {
        JSONField: {"form_class": ObjectField, "widget": UnfoldAdminTextareaWidget({"rows": 4})},
        TextField: {"widget": UnfoldAdminTextareaWidget({"rows": 2})},
    }


class ProviderForm(ModelForm):
    """A provider; where it needs a key, its URLs keep one secret."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        urls = {
            "base_url": [cleaned.get("base_url")],
            "regions": (cleaned.get("regions") or {}).values(),
        }
        for field, given in urls.items():
            if cleaned.get("needs_key") and any(map(is_read_by_others, given)):
                self.add_error(field, _("A key is sent by https:// or to this machine alone."))
        return cleaned


@admin.register(Provider)
class ProviderAdmin(SetByAdministrators):
    form = ProviderForm
    list_display = ["name", "base_url", "needs_key", "enabled"]
    sortable = ("name",)
    search_fields = ["name", "base_url"]
    fieldsets = [
        (None, {"fields": ["name", "base_url", "enabled"]}),
        (_("How it is called"), {"fields": ["needs_key", "headers", "regions"]}),
    ]

    def rows_along(self, obj: Model) -> Iterable[Model]:
        return obj.models.order_by("pk") if isinstance(obj, Provider) else ()


@admin.register(LanguageModel)
class LanguageModelAdmin(SetByAdministrators):
    list_display = [
        "name",
        "provider",
        "service",
        "context_limit",
        "input_usd_per_1k",
        "output_usd_per_1k",
        "enabled",
    ]
    list_select_related = ["provider"]
    list_filter = ["service", "enabled"]
    sortable = ("name", "provider", "context_limit", "input_usd_per_1k", "output_usd_per_1k")
    search_fields = ["name", "provider__name"]
    fieldsets = [
        (None, {"fields": ["provider", "name", "service", "enabled"]}),
        (_("Limits"), {"fields": ["context_limit", "max_tokens"]}),
        (_("Prices"), {"fields": ["input_usd_per_1k", "output_usd_per_1k"]}),
        (_("Where and how"), {"fields": ["default_region", "cold_start"]}),
    ]


@admin.register(RoutingPolicy)
class RoutingPolicyAdmin(SetByAdministrators):
    list_display = ["name", "priority", "enabled", "merge_strategy", "valid_from", "valid_to"]
    list_filter = ["enabled"]
    sortable = ("name", "priority")
    search_fields = ["name"]
    fieldsets = [
        (None, {"fields": ["name", "description", "enabled"]}),
        (_("When"), {"fields": ["match_conditions", "valid_from", "valid_to"]}),
        (_("What"), {"fields": ["action", "priority", "merge_strategy"]}),
    ]


@admin.register(ProviderHealth)
class ProviderHealthAdmin(ReadOnlyAdmin):
    list_display = [
        "provider",
        "region",
        "latency_ms",
        "error_rate",
        "calls",
        "updated_at",
        "parked_until",
        "parked_because",
        "last_error",
    ]
    list_select_related = ["provider"]
    ordering = ["-pk"]


@admin.register(UsageCounter)
class UsageCounterAdmin(ReadOnlyAdmin):
    list_display = [
        "day",
        "provider",
        "model",
        "agent",
        "channel",
        "calls",
        "input_tokens",
        "output_tokens",
        "cost",
    ]
    ordering = ["-pk"]


@admin.register(RoutingSnapshot)
class RoutingSnapshotAdmin(ReadOnlyAdmin):
    list_display = [
        "request_id",
        "created_at",
        "service",
        "selected_provider",
        "selected_model",
        "outcome",
        "failovers",
        "cost",
        "agent",
        "channel",
    ]
    ordering = ["-pk"]
    search_fields = ["request_id"]
    searched_keys = ("request_id",)
    search_help_text = _("The whole id of a request.")
