"""Receivers and rules, which people set; and each message, with what became of it."""

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import cells
from accounts.rights import OPERATE
from console.admin import ConsoleAdmin
from console.editing import EditedAdmin
from console.filters import AgeFilter
from dashboard.attention import Severity
from notifications.forms import SEVERITIES, ReceiverForm, RuleForm
from notifications.models import Delivery, DeliveryStatus, Receiver, Rule, Watched
from notifications.verbs import DELIVERY_VERBS, RECEIVER_VERBS


@admin.register(Receiver)
class ReceiverAdmin(EditedAdmin, ConsoleAdmin):
    """Set by administrators: whoever may name a URL lets the coordinator speak to it."""

    verbs = RECEIVER_VERBS
    deleted_along = (Rule, Watched, Delivery)
    form = ReceiverForm

    list_display = ["name", "kind", "place", "language", "enabled"]
    fieldsets = [
        (None, {"fields": ["name", "kind", "language", "enabled"]}),
        (_("Webhook"), {"fields": ["url", "secret"]}),
        (_("Mail"), {"fields": ["address"]}),
    ]

    def rows_along(self, obj: Model) -> Iterable[Model]:
        return Rule.objects.filter(receiver=obj.pk)


@admin.register(Rule)
class RuleAdmin(EditedAdmin):
    """Set by operators."""

    form = RuleForm
    deleted_along = (Watched,)
    list_display = ["name", "receiver", "least", "after_seconds", "enabled"]
    list_select_related = ["receiver"]
    fieldsets = [
        (None, {"fields": ["name", "receiver", "enabled"]}),
        (_("What"), {"fields": ["kinds", "severity"]}),
        (_("When"), {"fields": ["after_seconds", "repeat_seconds", "tells_end"]}),
    ]

    @admin.display(description=_("from severity"))
    def least(self, rule: Rule) -> str:
        return str(dict(SEVERITIES)[Severity(rule.severity)])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(OPERATE)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(OPERATE)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(OPERATE)


@admin.register(Delivery)
class DeliveryAdmin(ConsoleAdmin):
    verbs = DELIVERY_VERBS
    list_display = ["created_at", "receiver", "event", "message", "status", "attempts", "next_at"]
    list_select_related = ["receiver"]
    list_filter = ["status", AgeFilter]
    ordering = ["-pk"]

    @admin.display(description=_("message"))
    def message(self, delivery: Delivery) -> str:
        return str(delivery.data.get("text", ""))

    @admin.display(description=_("next attempt"))
    def next_at(self, delivery: Delivery) -> str:
        waits = delivery.status == DeliveryStatus.WAITING
        return cells.moment(delivery.due_at if waits else None)
