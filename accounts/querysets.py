"""Named queries of tokens and of the rights of users."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from django.contrib.auth.models import Permission
from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import OuterRef, Q, QuerySet
from django.db.models.functions import Now

if TYPE_CHECKING:
    from accounts.models import ApiToken, SignInCode  # noqa: F401  (named in strings below)

USED_AGAIN_AFTER = timedelta(minutes=1)


def _codenames(**whose: OuterRef) -> ArraySubquery:
    ours = Permission.objects.filter(content_type__app_label="accounts", **whose)
    return ArraySubquery(ours.values("codename"))


R = TypeVar("R", bound=QuerySet)


def with_rights(rows: R, user: str) -> R:
    """The rows with the permissions of a user of each, and those of the user's groups.

    Two sub-queries, each by an index: one with OR would read the members of all groups.
    """
    return rows.annotate(
        own_codenames=_codenames(user=OuterRef(user)),
        group_codenames=_codenames(group__user=OuterRef(user)),
    )


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def live(self) -> ApiTokenQuerySet:
        """Those that let somebody in: not revoked, not expired, of nobody who is not active."""
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=Now()),
            Q(user__isnull=True) | Q(user__is_active=True),
            revoked_at__isnull=True,
        )

    def issued(self) -> ApiTokenQuerySet:
        """The live ones that end protected mode: all but those of a sign-in."""
        return self.live().filter(is_login=False)

    def with_rights(self) -> ApiTokenQuerySet:
        """With their users and what these may do."""
        return with_rights(self.select_related("user").defer("user__password"), "user_id")

    def of(self, user_id: UUID) -> ApiTokenQuerySet:
        return self.filter(user=user_id)

    def unnoted(self, ids: Collection[UUID]) -> ApiTokenQuerySet:
        """Those of these whose use has not been noted for a minute."""
        return self.filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - USED_AGAIN_AFTER),
            pk__in=ids,
        )


class SignInCodeQuerySet(models.QuerySet["SignInCode"]):
    def usable(self) -> SignInCodeQuerySet:
        return self.filter(used_at__isnull=True, expires_at__gt=Now(), user__is_active=True)

    def ended(self) -> SignInCodeQuerySet:
        return self.filter(expires_at__lte=Now())
