"""Filters of the list of jobs; a value that none can have is refused."""

from collections.abc import Iterable

from django.db.models import Q
from django_filters import CharFilter

from api import fields
from api.filters import NameFilter, PeriodOfKeysFilters
from jobs.commands import CommandStatus, SourceType
from jobs.models import Job, JobKind, JobStatus
from jobs.querysets import JobQuerySet, command_status
from problems import Invalid


class JobFilters(PeriodOfKeysFilters):
    """`status` is exact at this moment; `name` matches any part of a job's name."""

    status = CharFilter(method="with_status")
    name = NameFilter(lookup_expr="icontains")
    kind = CharFilter(method="of_kind")
    queue_name = CharFilter(field_name="specification__queue_name")
    source_type = CharFilter(method="of_source")
    user_id = CharFilter(method="of_user")

    class Meta:
        model = Job
        fields: list[str] = []

    def with_status(self, rows: JobQuerySet, name: str, value: str) -> JobQuerySet:
        """A word of sweeps or of commands, in any case; some are of both."""
        _refuse_unknown(name, value, {*JobStatus.values, *CommandStatus.values})
        sweeps = Q(kind=JobKind.SWEEP, counted_status=value.upper())
        commands = Q(kind=JobKind.COMMAND, command_status=value.lower())
        return rows.annotate(command_status=command_status("command__")).filter(sweeps | commands)

    def of_kind(self, rows: JobQuerySet, name: str, value: str) -> JobQuerySet:
        _refuse_unknown(name, value, JobKind.values)
        return rows.filter(kind=value.lower())

    def of_source(self, rows: JobQuerySet, name: str, value: str) -> JobQuerySet:
        _refuse_unknown(name, value, SourceType.values)
        return rows.filter(specification__source_type=value.lower())

    def of_user(self, rows: JobQuerySet, name: str, value: str) -> JobQuerySet:
        return rows.filter(user=fields.identifier(value))


def _refuse_unknown(name: str, value: str, known: Iterable[str]) -> None:
    words = sorted({word.lower() for word in known})
    if value.lower() not in words:
        raise Invalid(f"{name} must be one of {', '.join(words)}")
