"""What every list of the admin lets its address ask, and how it shows its columns."""

from functools import cached_property
from typing import Any

from django.contrib.admin import ShowFacets
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from accounts import columns

OFFERED = frozenset({"exact", "in", "isnull", "isempty"})
"""The comparisons of the filters beside a list."""


class OfferedList(ChangeList):
    """A list in the order of a column only where its heads offer that."""

    def get_ordering_field(self, field_name: object) -> object:
        name = getattr(field_name, "__name__", field_name)
        return super().get_ordering_field(field_name) if name in self.model_admin.sortable else None


class OfferedLookups(ModelAdmin):
    """Refuses an address that asks for more than the filters beside the list offer.

    Django lets it compare every column in every way, also those that have no index, and fails on
    values that a column cannot be compared with. Facets count the whole table for each filter.
    """

    show_facets = ShowFacets.NEVER
    list_fullwidth = True
    list_before_template = "console/above_list.html"
    sortable: tuple[str, ...] = ()
    """Columns by which an index sorts the whole table, or which are of a small one."""

    @cached_property
    def shown_columns(self) -> list[object]:
        return [
            columns.shown(self.model, name, first=not place)
            for place, name in enumerate(self.list_display)
        ]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return list(self.shown_columns)

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        return [one for one in self.shown_columns if getattr(one, "__name__", one) in self.sortable]

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return OfferedList

    def heading(self, obj: object) -> str:
        """What the page of a row is called."""
        return str(obj)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        filters: list[object] = list(self.get_list_filter(request))
        filtered = {one[0] if isinstance(one, tuple) else one for one in filters}
        named = {getattr(one, "parameter_name", None) for one in filters}
        column, _, how = lookup.partition("__")
        if column in filtered and how.rpartition("__")[2] in OFFERED:
            return bool(super().lookup_allowed(lookup, value, request))
        return lookup in named
