"""What a caller may do: use, view, operate, administer. Each is a Django permission."""

from collections.abc import Mapping

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.utils.translation import gettext_lazy as _

USE = "accounts.use_api"
VIEW = "accounts.view_console"
OPERATE = "accounts.operate"
ADMINISTER = "accounts.administer"
EVERYTHING = frozenset({USE, VIEW, OPERATE, ADMINISTER})

GROUPS: Mapping[str, frozenset[str]] = {
    "User": frozenset({USE}),
    "Viewer": frozenset({VIEW}),
    "Operator": frozenset({USE, VIEW, OPERATE}),
    "Admin": EVERYTHING,
}
"""The groups that a migration creates; administrators may change them or add others."""

ENTER = frozenset({USE, VIEW})
"""Who has one of these may sign in, and have tokens."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

NOT_YET = _("You may not look at the console yet. Ask an administrator to put you into a group.")
OWN_ONLY = _("You may use the API for your own work. This shows what is everybody's.")


def may_enter(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether a person may sign in at all."""
    return isinstance(user, PermissionsMixin) and any(map(user.has_perm, ENTER))
