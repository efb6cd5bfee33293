"""What a person may do: look on, operate, administer. Each is a permission of Django's."""

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
"""The groups that a migration makes; people may change them or make others."""
