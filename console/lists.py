"""Read-only lists and pages that cost the same however many rows there are."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Model, QuerySet, UUIDField
from django.forms import BaseForm
from django.http import HttpRequest

from accounts import columns
from accounts.lists import OfferedList, OfferedLookups
from accounts.rights import VIEW
from api import sizes
from api.names import spelled
from console import names
from console.filters import ids_beginning_with
from console.pages import CappedPaginator

SEARCHED = 20_000
"""Text is searched in this many of the latest rows; ids in all."""


class LeanList(OfferedList):
    """A list that does not read what may be large and is not shown."""

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Sequence[str] | None = None
    ) -> QuerySet[Model]:
        rows: QuerySet[Model] = super().get_queryset(request, exclude_parameters)
        return sizes.without(rows, [*self.model_admin.list_display, *self.model_admin.read_too])


class ReadOnlyAdmin(OfferedLookups):
    """Shows rows to everybody who may view the console; nobody changes them here."""

    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    show_full_result_count = False
    paginator = CappedPaginator

    read_too: tuple[str, ...] = ()
    """Large columns that the list needs although they are not among those it shows."""

    searched_text = ""
    """The column in which text is searched, among the latest rows."""
    searched_keys: tuple[str, ...] = ()
    """Columns with an index; each is searched for the whole term, one after the other."""

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Statuses and times look on the page of a row as in the list, unless it is a form."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [
            (
                title,
                {**part, "fields": [columns.on_page(self.model, one) for one in part["fields"]]},
            )
            for title, part in fieldsets
        ]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[BaseForm]:
        """Say of columns what helps people; the models' own words are not translated."""
        if not self.has_change_permission(request, obj):
            fields = {field.name for field in self.model._meta.concrete_fields}
            kwargs.setdefault("help_texts", {name: names.HELP.get(name, "") for name in fields})
        form: type[BaseForm] = super().get_form(request, obj, change, **kwargs)
        return form

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(VIEW)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(VIEW)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Model | None:
        found: Model | None = super().get_object(request, spelled(object_id), from_field)
        return found

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[LeanList]:
        return LeanList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        """Rows whose id begins with the term; where there is none, those whose text has it."""
        term = spelled(search_term)
        if term and self.searched_keys:
            return self._first_with(queryset, term), False
        bounds = ids_beginning_with(term) if isinstance(self.model._meta.pk, UUIDField) else None
        if bounds and (found := queryset.filter(pk__range=bounds)).exists():
            return found, False
        if not term or not self.searched_text:
            rows, duplicates = super().get_search_results(request, queryset, term)
            return rows, duplicates
        every = self.model._default_manager.order_by("-pk")
        first = every.values_list("pk", flat=True)[SEARCHED : SEARCHED + 1].first()
        if first is not None:
            queryset = queryset.filter(pk__gte=first)
        return queryset.filter(**{f"{self.searched_text}__icontains": term}), False

    def _first_with(self, queryset: QuerySet[Model], term: str) -> QuerySet[Model]:
        """The rows with the term in the first column that has any: one index is enough."""
        for column in self.searched_keys:
            if (found := queryset.filter(**{column: term})).exists():
                return found
        return queryset.none()
