"""What a caller may do: view, operate, administer. Each is a Django permission."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from problems import Forbidden, Unauthorized

if TYPE_CHECKING:
    # REST framework's views import this module, by its settings.
    from rest_framework.views import APIView

VIEW = "accounts.view_console"
OPERATE = "accounts.operate"
ADMINISTER = "accounts.administer"
EVERYTHING = frozenset({VIEW, OPERATE, ADMINISTER})

GROUPS: Mapping[str, frozenset[str]] = {
    "Viewer": frozenset({VIEW}),
    "Operator": frozenset({VIEW, OPERATE}),
    "Admin": EVERYTHING,
}
"""The groups that a migration creates; administrators may change them or add others."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

NOT_YET = _("You may not look at the console yet. Ask an administrator to put you into a group.")


class NotAllowed(Forbidden):
    """This caller may view, but not operate."""

    code = "not_allowed"


class ReadOrOperate(BasePermission):
    """Who may view reads; who may operate changes."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        if caller is None:
            raise Unauthorized("Send a token as 'Authorization: Bearer <token>' or 'X-Api-Key'.")
        if not caller.may(VIEW):
            raise NotAllowed(str(NOT_YET))
        if request.method not in SAFE_METHODS and not caller.may(OPERATE):
            raise NotAllowed(f"{caller.name} may view the console, but not operate.")
        return True


class MayAdminister(ReadOrOperate):
    """Who may administer."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        super().has_permission(request, view)
        caller: Any = request.auth
        if not caller.may(ADMINISTER):
            raise NotAllowed(f"{caller.name} may not do this: {ADMINISTER} is missing.")
        return True
