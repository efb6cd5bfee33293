"""How templates of the console show a moment, an id, a kind, a verb and filters that hold."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django import template
from django.contrib import admin
from django.contrib.admin import ListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import ForeignKey, Model
from django.utils.translation import gettext

from accounts import cells
from console import kinds

register = template.Library()


@register.filter
def moment(at: datetime | None) -> str:
    return cells.moment(at)


@register.filter
def short(whole: object) -> str:
    """The end of an id, or all of a name that says something."""
    return cells.shortened(whole)


@register.filter
def kind_name(kind: str) -> str:
    return kinds.name_of(kind)


@register.filter
def verb_label(verb: str, kind: str) -> str:
    return kinds.verb_label(kind, verb)


@register.filter
def heading(row: Model) -> str:
    """What the page of a row is called."""
    page = admin.site._registry.get(type(row))
    named: Callable[[Model], str] = getattr(page, "heading", str)
    return named(row)


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """A filter that holds, and the address of the list without it."""

    title: object
    value: object
    without: str


@register.simple_tag
def active_filters(page: ChangeList) -> list[ActiveFilter]:
    """The filters of this list that hold, and the words that it is searched for."""
    found = []
    if page.query:
        found.append(
            ActiveFilter(gettext("Search"), page.query, page.get_query_string(remove=["q"]))
        )
    for spec in page.filter_specs:
        names = [name for name in spec.expected_parameters() if name in page.params]
        if names:
            without = page.get_query_string(remove=names)
            found.append(ActiveFilter(spec.title, _chosen(page, spec), without))
    return found


def _chosen(page: ChangeList, spec: ListFilter) -> object:
    """What a filter lets through, in its own words."""
    field = getattr(spec, "field", None)
    value = next(iter(spec.used_parameters.values()), "")
    value = value[-1] if isinstance(value, list) and value else value
    if isinstance(field, ForeignKey):
        other = field.related_model._default_manager.filter(pk=value).first()
        return other or value
    shown = [choice["display"] for choice in spec.choices(page) if choice.get("selected")]
    return shown[-1] if shown else value
