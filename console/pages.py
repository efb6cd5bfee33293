"""Paging of tables with millions of rows: counted and paged up to a limit."""

from functools import cached_property

from django.core.paginator import Paginator
from django.db.models import QuerySet

COUNTED = 10_000
"""The most rows that a list counts and pages through; filters reach the others."""


class CappedPaginator(Paginator):
    @cached_property
    def count(self) -> int:
        """How many rows there are, or the limit when there are more."""
        if not isinstance(self.object_list, QuerySet):
            return len(self.object_list)
        return self.object_list.order_by().values("pk")[:COUNTED].count()

    @property
    def is_capped(self) -> bool:
        return self.count == COUNTED
