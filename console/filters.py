"""Filters of lists that cost the same however long the list is."""

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import Model, QuerySet, UUIDField
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

LONGEST_AGO = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
OLDER = "older"
HEX = frozenset("0123456789abcdef")


class AgeFilter(SimpleListFilter):
    """When a row was made. A UUIDv7 begins with that time, so the primary key's index is used."""

    title = _("age")
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [
            ("hour", gettext("Last hour")),
            ("day", gettext("Last 24 hours")),
            ("week", gettext("Last 7 days")),
            ("month", gettext("Last 30 days")),
            (OLDER, gettext("Older than 30 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        chosen = self.value()
        if chosen == OLDER:
            return queryset.filter(**_made(queryset, "lt", LONGEST_AGO["month"]))
        if chosen in LONGEST_AGO:
            return queryset.filter(**_made(queryset, "gte", LONGEST_AGO[chosen]))
        return queryset


def _made(rows: QuerySet[Model], comparison: str, ago: timedelta) -> dict[str, object]:
    moment = timezone.now() - ago
    if isinstance(rows.model._meta.pk, UUIDField):
        return {f"pk__{comparison}": first_id_at(moment)}
    return {f"created_at__{comparison}": moment}


def first_id_at(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def ids_beginning_with(text: str) -> tuple[UUID, UUID] | None:
    """The first and the last id that begin with these digits; None if no id can."""
    digits = text.replace("-", "").lower()
    if not 4 <= len(digits) <= 32 or not HEX.issuperset(digits):
        return None
    return UUID(hex=digits.ljust(32, "0")), UUID(hex=digits.ljust(32, "f"))
