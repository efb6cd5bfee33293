"""Keys in the admin: made, rotated, revoked; a value is set there, and never read back."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import BaseForm, ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import callers, cells, columns
from accounts.models import User
from accounts.rights import ADMINISTER
from api.throttling import address_of
from console.admin import Act, ConsoleAdmin, Table
from console.filters import AgeFilter
from console.lists import ReadOnlyAdmin
from vault import transitions
from vault.audit import By
from vault.forms import NAMED, KeyForm
from vault.models import KeyAudit, SecureKey
from vault.verbs import KEY_VERBS, ROTATE

SHOWN = 20
"""Versions and uses on the page of a key, the newest."""
TIMES = ["not_before_at", "expires_at", "rotate_after"]


@admin.register(SecureKey)
class SecureKeyAdmin(ConsoleAdmin):
    verbs = KEY_VERBS
    add_form_template = "admin/change_form.html"
    list_display = ["name", "env", "provider", "service", "resource", "status", "latest"]
    list_filter = ["status"]
    search_fields = ["name", "provider"]
    search_help_text = _("A part of its name, or of its provider.")
    ordering = ["-pk"]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        if obj is None:
            return [*NAMED, "value", "scopes", *TIMES]
        said = ["created_by", "created_at", "updated_by", "updated_at"]
        return [*NAMED, "scopes", "status", "latest", "id", *said]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        return [] if obj is None else list(self.get_fields(request, obj))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADMINISTER)

    def get_actions(self, request: HttpRequest) -> Mapping[str, tuple[Act, str, str]]:
        """Not rotate: no two keys have the same secret."""
        actions = super().get_actions(request)
        return {name: action for name, action in actions.items() if name != ROTATE}

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any
    ) -> type[BaseForm]:
        kwargs["fields"] = [*NAMED, "scopes"] if obj is None else []
        kwargs["form"] = KeyForm if obj is None else ModelForm
        form: type[BaseForm] = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"by": by_of(request)})

    def save_model(
        self, request: HttpRequest, obj: SecureKey, form: ModelForm, change: bool
    ) -> None:
        """Give the key to the vault, which makes its row."""
        if isinstance(form, KeyForm):
            stored = transitions.upsert(form.draft, by=by_of(request))
            vars(obj).update(vars(SecureKey.objects.get(pk=stored.key_id)))

    def tables(self, request: HttpRequest, obj: Model) -> list[Table]:
        return [_versions(obj), _uses(obj)] if isinstance(obj, SecureKey) else []


@admin.register(KeyAudit)
class KeyAuditAdmin(ReadOnlyAdmin):
    sortable = ("created_at",)
    list_display = [
        "event",
        "created_at",
        "operation",
        "name",
        "env",
        "version",
        "actor",
        "reason",
    ]
    list_filter = ["success", AgeFilter]
    search_fields = ["key_id"]
    searched_keys = ("key_id",)
    search_help_text = _("The whole id of a key.")


def by_of(request: HttpRequest) -> By:
    """The person at the browser, as the audit names them."""
    agent = request.headers.get("User-Agent", "")
    if not isinstance(request.user, User):
        return By("", address_of(request), agent)
    return By(callers.of_user(request.user).name, address_of(request), agent)


def _versions(key: SecureKey) -> Table:
    heads = [
        gettext("Version"),
        gettext("Status"),
        gettext("Not before"),
        gettext("Expires"),
        gettext("Rotate after"),
        gettext("Used"),
        gettext("Last used"),
        gettext("Sealed by"),
        gettext("Made by"),
        gettext("Made"),
    ]
    rows = [
        [
            one.version,
            columns.choice(one, "status"),
            cells.moment(one.not_before_at),
            cells.moment(one.expires_at),
            cells.moment(one.rotate_after),
            one.usage_count,
            cells.moment(one.last_used_at),
            one.sealed_by,
            one.created_by,
            cells.moment(one.created_at),
        ]
        for one in key.versions.defer("sealed", "checksum").order_by("-version")[:SHOWN]
    ]
    return Table(gettext("Versions"), heads, rows)


def _uses(key: SecureKey) -> Table:
    heads = [
        gettext("Time"),
        gettext("Event"),
        gettext("Version"),
        gettext("By"),
        gettext("Reason"),
    ]
    rows = [
        [cells.moment(one.created_at), one.get_event_display(), one.version, one.actor, one.reason]
        for one in KeyAudit.objects.filter(key_id=key.pk).order_by("-id")[:SHOWN]
    ]
    return Table(gettext("Latest uses"), heads, rows)
