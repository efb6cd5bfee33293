"""Keys and versions by what they are for, and by their times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db.models import BooleanField, Case, ExpressionWrapper, Q, QuerySet, Value, When
from django.db.models.functions import Now

if TYPE_CHECKING:
    from vault.models import KeyVersion, SecureKey  # noqa: F401
    from vault.selectors import Selector

EXACT = ("name", "alias", "provider")
OF_ANY = ("service", "resource")
"""A key that names none is for any."""
BEGUN = Q(not_before_at=None) | Q(not_before_at__lte=Now())


class KeyQuerySet(QuerySet["SecureKey"]):
    def fitting(self, selector: Selector) -> Self:
        """The keys that a selector means, those that fit best first.

        A key for any service, or resource, fits less well than one that names the wanted one, and
        where none is wanted one that names one fits less well than one for any.
        """
        rows = self.filter(env=selector.env)
        for column in EXACT:
            if wanted := getattr(selector, column):
                rows = rows.filter(**{column: wanted})
        for column in OF_ANY:
            if wanted := getattr(selector, column):
                rows = rows.filter(**{f"{column}__in": [wanted, ""]})
        service, resource = (_differs(column, getattr(selector, column)) for column in OF_ANY)
        return rows.order_by(service + resource, "name", "pk")

    def active_of(self, provider: str, env: str) -> Self:
        """The keys of a provider that were not revoked, whatever they are for."""
        return self.filter(env=env, provider=provider, status="active")


def _differs(column: str, wanted: str) -> Case:
    """1 where the column is not exactly as it is wanted."""
    return Case(When(**{column: wanted}, then=Value(0)), default=Value(1))


class KeyVersionQuerySet(QuerySet["KeyVersion"]):
    def begun(self) -> Self:
        """Those that may be read already, unless they are over."""
        return self.filter(BEGUN)

    def with_times(self) -> Self:
        """With whether each has begun, and is over, by the database's clock."""
        return self.annotate(
            has_begun=_is(BEGUN),
            is_over=_is(Q(expires_at__isnull=False, expires_at__lte=Now())),
        )


def _is(condition: Q) -> ExpressionWrapper:
    return ExpressionWrapper(condition, output_field=BooleanField())
