"""The roles of tokens, and the rights that each gives at most."""

from collections.abc import Mapping

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.rights import ADMINISTER, EVERYTHING, OPERATE, USE, VIEW


class Role(TextChoices):
    USER = "user", _("User")
    SUPPORT = "support", _("Support")
    OPERATOR = "operator", _("Operator")
    ADMIN = "admin", _("Admin")
    AGENT = "agent", _("Agent")


RIGHTS: Mapping[str, frozenset[str]] = {
    Role.USER: frozenset({USE}),
    Role.SUPPORT: frozenset({VIEW}),
    Role.OPERATOR: frozenset({USE, VIEW, OPERATE}),
    Role.ADMIN: EVERYTHING,
    Role.AGENT: frozenset(),  # its scope says what it may
}
OF_AGENTS = frozenset({VIEW, OPERATE})
"""What the key of agents gives, and the token of one amounts to: it claims tasks and ends them."""
OF_PEOPLE = frozenset(role.value for role in Role if role != Role.AGENT)
"""The roles of tokens that belong to a user. None gives more than the user has."""


def role_within(rights: frozenset[str]) -> Role:
    """The role that gives the most of these rights."""
    if ADMINISTER in rights:
        return Role.ADMIN
    if OPERATE in rights:
        return Role.OPERATOR
    return Role.SUPPORT if VIEW in rights else Role.USER
