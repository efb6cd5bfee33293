"""What a user may do: view, operate, administer. Each is a Django permission."""

from collections.abc import Mapping

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
