"""What every list of the admin lets its address ask."""

from django.contrib.admin import ShowFacets
from django.http import HttpRequest
from unfold.admin import ModelAdmin

OFFERED = frozenset({"exact", "in", "isnull", "isempty"})
"""The comparisons of the filters beside a list."""


class OfferedLookups(ModelAdmin):
    """Refuses an address that asks for more than the filters beside the list offer.

    Django lets it compare every column in every way, also those that have no index, and fails on
    values that a column cannot be compared with. Facets count the whole table for each filter.
    """

    show_facets = ShowFacets.NEVER

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        filters: list[object] = list(self.get_list_filter(request))
        columns = {one[0] if isinstance(one, tuple) else one for one in filters}
        named = {getattr(one, "parameter_name", None) for one in filters}
        column, _, how = lookup.partition("__")
        if column in columns and how.rpartition("__")[2] in OFFERED:
            return bool(super().lookup_allowed(lookup, value, request))
        return lookup in named
