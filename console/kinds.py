"""The kinds of things that the audit and the journal name, as people call them."""

from collections.abc import Iterable
from contextlib import suppress

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from console.verbs import TITLES, title_of

FINDING = "finding"

OTHERS = {
    "add": _("Made"),
    "change": _("Changed"),
    "delete": _("Deleted"),
    "issue": _("Token made"),
    "password": _("Password set"),
    "revoke": _("Token revoked"),
    "dismiss": _("Dismissed"),
    "create": _("Made"),
    "update": _("Changed"),
    "destroy": _("Deleted"),
    "assign": _("Assigned"),
    "assign_agent": _("Assigned"),
    "channels": _("Channels set"),
    "claim": _("Claimed"),
    "inputs": _("Input sent"),
    "kill": _("Killed"),
    "release": _("Released"),
    "report": _("Reported"),
    "result": _("Reported"),
    "exit": _("Reported"),
    "hello": _("Registered"),
    "post": _("Event added"),
    "request_session": _("Session asked for"),
    "retry": _("Retried"),
    "unlock": _("Unlocked"),
}
"""What people do without a verb of the console: in the admin, and by the API with their session."""
LONGEST_TITLE = 200
PAGELESS = {FINDING: _("What needs a person")}
"""Kinds that have no page in the admin."""


def model_of(kind: str) -> type[Model] | None:
    """The model that the audit names so; None for a kind that is no more."""
    return next((one for one in admin.site._registry if one._meta.model_name == kind), None)


def name_of(kind: str) -> str:
    """What people call it."""
    model = model_of(kind)
    return str(capfirst(model._meta.verbose_name) if model else PAGELESS.get(kind, kind))


def verb_label(kind: str, verb: str) -> str:
    """The verb as its button says it."""
    model = model_of(kind)
    known = getattr(admin.site._registry[model], "verbs", ()) if model else ()
    for one in known:
        if one.name == verb:
            return str(one.label)
    return str(OTHERS.get(verb, verb.replace("_", " ")))


def titles_of(kind: str, ids: Iterable[str]) -> dict[str, str]:
    """What those of these things are called that are still there, by the ids that the audit has."""
    model = model_of(kind)
    columns = {column.name for column in model._meta.fields} & {*TITLES} if model else set()
    if model is None or not columns:  # without a column `only` would read whole rows
        return {}
    key, asked = model._meta.pk, {}
    for text in ids:
        with suppress(ValidationError):
            asked[key.to_python(text)] = text
    rows = model._default_manager.filter(pk__in=list(asked)).only(*columns)
    named = (row for row in rows if any(getattr(row, column) for column in columns))
    return {asked[row.pk]: title_of(row)[:LONGEST_TITLE] for row in named}


def all_kinds() -> list[tuple[str, str]]:
    """Every kind of thing on which people act, by its name."""
    names = [
        str(model._meta.model_name)
        for model, page in admin.site._registry.items()
        if getattr(page, "verbs", ()) or getattr(page, "audited", False)
    ]
    return sorted(((name, name_of(name)) for name in [*names, *PAGELESS]), key=lambda kind: kind[1])
