"""Rows that people set in forms of the admin; each change is in the operators' audit."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.forms import ModelForm
from django.http import HttpRequest

from accounts import callers
from accounts.admin import AdministeredAdmin
from accounts.callers import Caller
from accounts.models import User
from events import audit

REASON = "admin form"
"""Where the audit wants one."""


class EditedAdmin(AdministeredAdmin):
    """Rows that administrators set; each change is in the operators' audit."""

    actions = None
    audited = True
    deleted_along: Sequence[type[models.Model]] = ()
    """Models whose rows go with one of these, though nobody deletes them alone."""

    def save_model(
        self, request: HttpRequest, obj: models.Model, form: ModelForm, change: bool
    ) -> None:
        rows = self.model._default_manager.select_for_update(no_key=True)
        known = rows.filter(pk=obj.pk).first() if change else None
        keep(obj, by=caller_of(request), before=columns(known) if known is not None else {})

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        remove(obj, *self.rows_along(obj), by=caller_of(request))

    def rows_along(self, obj: models.Model) -> Iterable[models.Model]:
        """Rows that go with this one, and that the audit has, too."""
        return ()

    def get_deleted_objects(
        self, objs: Sequence[models.Model] | models.QuerySet[models.Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        shown, counts, missing, protected = super().get_deleted_objects(objs, request)
        along = {str(model._meta.verbose_name) for model in self.deleted_along}
        return shown, counts, missing - along, protected


def caller_of(request: HttpRequest) -> Caller:
    """The person at the browser."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return callers.of_user(request.user)


@transaction.atomic
def keep(row: models.Model, *, by: Caller, before: Mapping[str, object]) -> None:
    """Save what somebody has set, and note it in the audit; `before`: what its columns were."""
    row.save()
    _note(row, by, "change" if before else "add", before, columns(row))


@transaction.atomic
def remove(row: models.Model, *along: models.Model, by: Caller) -> None:
    """Delete what somebody has set, and what goes with it; the audit has each of these rows."""
    for gone in (row, *along):
        _note(gone, by, "delete", columns(gone), {})
    row.delete()


def columns(row: models.Model) -> dict[str, object]:
    """The columns of a row, as the audit keeps them: without bytes, which may be sealed."""
    return {
        one.attname: str(value) if isinstance(value, Decimal) else value
        for one in row._meta.concrete_fields
        if not isinstance(one, models.BinaryField)
        and (value := getattr(row, one.attname)) is not None
    }


def _note(
    row: models.Model,
    by: Caller,
    verb: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    entry = audit.Entry(str(row.pk), before, after)
    audit.write(by, verb, row._meta.model_name or "", REASON, [entry])
