"""Providers, models and policies in the admin; their health, usage and snapshots to be read."""

from collections.abc import Sequence

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import JSONField, Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts import callers
from accounts.admin import AdministeredAdmin
from accounts.callers import Caller
from accounts.models import User
from api import body
from console.lists import ReadOnlyAdmin
from problems import Problem
from routing import transitions
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
        if not isinstance(value, str) or not value.strip():
            return value or {}
        try:
            parsed = body.parse(value.encode(errors="replace"))
        except Problem as problem:
            raise ValidationError(problem.message) from None
        if not isinstance(parsed, dict):
            raise ValidationError(_("This must be an object."))
        return parsed


class SetByAdministrators(AdministeredAdmin):
    """Rows that administrators set; each change is in the operators' audit."""

    actions = None
    list_fullwidth = True
    formfield_overrides = {
        JSONField: {"form_class": ObjectField, "widget": UnfoldAdminTextareaWidget}
    }

    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm, change: bool) -> None:
        known = self.model._default_manager.filter(pk=obj.pk).first() if change else None
        before = transitions.said(known) if known is not None else {}
        transitions.keep(obj, by=_caller(request), before=before)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        transitions.remove(obj, by=_caller(request))

    def get_deleted_objects(
        self, objs: Sequence[Model] | QuerySet[Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """The health of a provider goes with it, though nobody deletes that alone."""
        shown, counts, missing, protected = super().get_deleted_objects(objs, request)
        return shown, counts, missing - {str(ProviderHealth._meta.verbose_name)}, protected


def _caller(request: HttpRequest) -> Caller:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return callers.of_user(request.user)


@admin.register(Provider)
class ProviderAdmin(SetByAdministrators):
    list_display = ["name", "base_url", "needs_key", "enabled"]
    fieldsets = [
        (None, {"fields": ["name", "base_url", "enabled"]}),
        (_("How it is called"), {"fields": ["needs_key", "headers", "regions"]}),
    ]


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
