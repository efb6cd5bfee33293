"""Where a verb is offered: a condition on a row, as plain data."""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

M = TypeVar("M", bound=Model)

Values = Mapping[str, object]


class When:
    """A condition on a row, as plain data: the values that its columns may have.

    In place of values, True or False: the column is filled (neither null, false nor 0), or is not.
    The same data picks rows in the database, judges a row here, and is sent to pages, which judge
    the rows that they show. `asked`: what is no column of the table, and the query for "filled";
    rows of pages have it by the same name.
    """

    def __init__(
        self,
        asked: Mapping[str, Callable[[], Q]] | None = None,
        /,
        **columns: Collection[object] | bool,
    ) -> None:
        self.asked = asked or {}
        self.columns: Mapping[str, list[object] | bool] = {
            name: expected if isinstance(expected, bool) else list(expected)
            for name, expected in columns.items()
        }

    def __call__(self, rows: QuerySet[M], values: Values) -> QuerySet[M]:
        """Those of the rows that fit."""
        return rows.filter(self._query(rows.model))

    def fits(self, row: Model) -> bool:
        """Whether a row fits; what is no column of it is looked up."""
        if self.asked:
            every = type(row)._default_manager.filter(pk=row.pk)
            return every.filter(self._query(type(row))).exists()
        return all(
            bool(getattr(row, name)) is expected
            if isinstance(expected, bool)
            else getattr(row, name) in expected
            for name, expected in self.columns.items()
        )

    def _query(self, model: type[Model]) -> Q:
        query = Q()
        for name, expected in self.columns.items():
            if name in self.asked:
                found = self.asked[name]()
                query &= found if expected else ~found
                continue
            if not isinstance(expected, bool):
                query &= Q(**{f"{name}__in": expected})
                continue
            null = model._meta.get_field(name).null
            empty = Q(**{f"{name}__isnull": True}) if null else Q(**{name: 0})
            query &= ~empty if expected else empty
        return query


ALWAYS = When()
