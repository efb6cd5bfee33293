"""The roles of tokens, and the rights that each gives at most."""

from collections.abc import Mapping

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.permissions import ADMINISTER, EVERYTHING, OPERATE, VIEW


class Role(TextChoices):
    USER = "user", _("User")
    SUPPORT = "support", _("Support")
    ADMIN = "admin", _("Admin")
    AGENT = "agent", _("Agent")


RIGHTS: Mapping[str, frozenset[str]] = {
    Role.USER: frozenset({VIEW, OPERATE}),
    Role.SUPPORT: frozenset({VIEW}),
    Role.ADMIN: EVERYTHING,
    Role.AGENT: frozenset(),  # its scope says what it may
}
OF_PEOPLE = frozenset({Role.USER.value, Role.SUPPORT.value, Role.ADMIN.value})
"""The roles of tokens that belong to a user. None gives more than the user has."""


def role_within(rights: frozenset[str]) -> Role:
    """The role that gives the most of these rights."""
    if ADMINISTER in rights:
        return Role.ADMIN
    return Role.USER if OPERATE in rights else Role.SUPPORT
