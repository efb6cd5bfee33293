"""How the lists of the admin show a column: labels for statuses, ends of ids, relative times."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db.models import (
    CharField,
    DateTimeField,
    Field,
    ForeignKey,
    Model,
    TextField,
    UUIDField,
)
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from accounts import cells

Column = Callable[[Model], object]
COLOURED = frozenset({"status", "activity", "outcome", "event", "operation", "source"})
"""Columns of choices that are labels; other choices are words."""
LINKED = {"task_id": "tasks_task", "chain_id": "chains_chain", "agent_id": "agents_agent"}
"""Columns that name a row without a foreign key, and the page of such a row."""
LONG = 40  # characters


def shown(model: type[Model], name: object, *, first: bool = False) -> object:
    """What a list has for this name of a column; the first one is a link already."""
    if not isinstance(name, str):
        return name
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return name
    if not isinstance(field, Field) or (show := _way_of(field, first)) is None:
        return name

    return _named(field, show)


def on_page(model: type[Model], name: Any) -> Any:
    """What the page of a row has for this name of a column."""
    if isinstance(name, (tuple, list)):
        return tuple(on_page(model, one) for one in name)
    if not isinstance(name, str):
        return name
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return name
    if isinstance(field, DateTimeField):
        return _named(field, lambda row: cells.whole_moment(getattr(row, name)))
    if isinstance(field, Field) and field.choices:
        return _named(field, lambda row: choice(row, name))
    return name


def _named(field: Field, show: Column) -> Column:
    """The column with the name of its field, by which lists and pages know it."""

    def column(row: Model) -> object:
        return show(row)

    column.__name__ = field.name
    # Keys are made in the order of time, and have an index.
    order = "pk" if field.name == "created_at" else field.name
    return admin.display(description=field.verbose_name, ordering=order)(column)


def _way_of(field: Field, first: bool) -> Column | None:
    name = field.name
    if isinstance(field, DateTimeField):
        return lambda row: cells.moment(getattr(row, name))
    if isinstance(field, ForeignKey):
        return lambda row: related(row, field)
    if field.choices:
        return lambda row: choice(row, name)
    if name in LINKED and not first:
        return lambda row: linked(getattr(row, name), LINKED[name])
    if isinstance(field, UUIDField) and not first:
        return lambda row: cells.short_id(getattr(row, name))
    if isinstance(field, (CharField, TextField)):
        return lambda row: cells.long(getattr(row, name))
    return None


def choice(row: Model, name: str) -> str:
    """The word of a choice, as a coloured label where it is a status."""
    value = getattr(row, name)
    label = getattr(row, f"get_{name}_display")()
    if value in ("", None):
        return cells.NONE
    return cells.status(value, label) if name in COLOURED else cells.word(label)


def related(row: Model, field: Field) -> str:
    """The name of another row, with a link to its page if there is one."""
    try:
        other = getattr(row, field.name)
    except ObjectDoesNotExist:
        other = None
    if other is None:
        return cells.long(cells.shortened(getattr(row, field.attname)))
    return link_to(other)


def link_to(row: Model) -> str:
    """A link to the page of a row, by its name."""
    text = str(row)
    try:
        path = reverse(
            f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)]
        )
    except NoReverseMatch:
        return cells.long(text)
    return format_html('<a class="long" href="{}" title="{}">{}</a>', path, text, text)


def linked(key: object, page: str) -> str:
    """A link to the page of the row with this key, which may be gone."""
    if not key:
        return cells.NONE
    path = reverse(f"admin:{page}_change", args=[quote(str(key))])
    short = cells.shortened(key)
    return format_html('<a class="long" href="{}" title="{}">{}</a>', path, key, short)
