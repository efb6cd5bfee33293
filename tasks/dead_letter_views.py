"""`/v1/dead-letters`: list, requeue or purge failed tasks."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, QuerySet
from django.http import QueryDict
from django_filters import CharFilter, UUIDFilter
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import Caller, CallerKind, caller_of
from accounts.ownership import check_each, visible
from api import fields, filters
from api.filters import Given, NameFilter, PeriodFilters, TimeFilter
from api.pagination import LatestPagination
from api.serializers import Nested, RequestSerializer, Values, absent
from api.viewsets import ListViewSet
from console import verbs
from problems import Invalid
from tasks import dead_letters, schema
from tasks.answers import DeadLetterSerializer
from tasks.dead_letters import DeadLetterResult, Verb
from tasks.exceptions import TaskUnknown
from tasks.letter_verbs import PURGE
from tasks.models import Attempt, Task
from tasks.querysets import TaskQuerySet
from tasks.serializers import LONGEST_TEXT
from tasks.verbs import REQUEUE

MOST_IDS = 1000


class DeadLetterFilters(PeriodFilters):
    """Filters of dead letters, in a query or, by the same names, in a body."""

    reason = CharFilter(field_name="dead_letter")
    channel_id = UUIDFilter()
    chain_id = UUIDFilter()
    job_id = CharFilter(method="of_job")
    agent_id = NameFilter()
    type = CharFilter()
    finished_after = TimeFilter(field_name="finished_at", lookup_expr="gte")
    finished_before = TimeFilter(field_name="finished_at", lookup_expr="lt")

    class Meta:
        model = Task
        fields: list[str] = []

    def within(self, rows: QuerySet[Any], given: Given) -> QuerySet[Any]:
        for name in {"finished_after", "finished_before"} & given.keys():
            rows = self.filters[name].filter(rows, given[name])
        return rows

    def of_job(self, rows: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        return rows.filter(job=fields.job_identifier(value))


class TimeText(fields.Text):
    """A time, which the filter of the list reads."""

    def schema(self, refer: fields.Refer) -> fields.Schema:
        return super().schema(refer) | {"format": "date-time"}


class FilterRequestSerializer(RequestSerializer):
    """A filter in a body. An unknown name is refused, since ignoring it would widen the filter."""

    reason = fields.Text(default="", max_length=200)
    channel_id = fields.Text(default="", max_length=200)
    chain_id = fields.Text(default="", max_length=200)
    job_id = fields.Text(default="", max_length=200)
    agent_id = fields.Name(default="")
    type = fields.Text(default="", max_length=200)
    finished_after = TimeText(default="", max_length=200)
    finished_before = TimeText(default="", max_length=200)
    created_after = TimeText(default="", max_length=200)
    created_before = TimeText(default="", max_length=200)

    def rules(self) -> fields.Schema:
        return {"additionalProperties": False}

    def run_validation(self, data: object = empty) -> Values:
        for name in data if isinstance(data, dict) else ():
            if name.lower() not in self.by_name:
                raise Invalid(f"{name} is not a filter of dead letters")
        values = super().run_validation(data)
        return {name: value for name, value in values.items() if value}


class DeadLettersRequestSerializer(RequestSerializer):
    """Dead letters by id or by filter, and a reason."""

    ids = fields.TextList(default=list, max_items=MOST_IDS)
    filter = Nested(FilterRequestSerializer, default=None)
    all = fields.Flag(default=False)
    reason = fields.Text(max_length=LONGEST_TEXT)

    def rules(self) -> fields.Schema:
        no_ids = absent("ids")["properties"]
        by_id = {"ids": fields.TextList().given(), "filter": {"type": "null"}}
        by_filter = {"filter": {"type": "object", "minProperties": 1}, **no_ids}
        of_all = {"filter": {"type": "object"}, "all": {"const": True}, **no_ids}
        return {
            "anyOf": [
                {"required": ["ids"], "properties": by_id},
                {"required": ["filter"], "properties": by_filter},
                {"required": ["filter", "all"], "properties": of_all},
            ]
        }

    def validate(self, attrs: Values) -> Values:
        chosen = attrs["filter"]
        if bool(attrs["ids"]) == (chosen is not None):
            raise Invalid("ids_or_filter_required")
        if chosen == {} and not attrs["all"]:
            raise Invalid("all must be true with an empty filter, which means every dead letter")
        return attrs


@extend_schema_view(
    requeue=schema.each("requeued", DeadLettersRequestSerializer),
    purge=schema.each("purged", DeadLettersRequestSerializer),
)
class DeadLetterViewSet(ListViewSet[Task]):
    """Failed tasks that wait for a person, the latest failure first."""

    queryset = Task.objects.dead_letters()
    serializer_class = DeadLetterSerializer
    filterset_class = DeadLetterFilters
    owner = "user"
    users_may = frozenset({"requeue", "purge"})
    pagination_class = LatestPagination
    list_key = "dead_letters"
    time_column = "finished_at"

    def completed(self, rows: list[Task]) -> list[Task]:
        bad = Attempt.objects.filter(task__in=rows).order_by().values_list("task")
        counts = dict(bad.annotate(number=Count("pk")))
        for row in rows:
            row.bad_attempts_count = counts.get(row.pk, 0)
        return rows

    @action(detail=False, methods=["post"])
    def requeue(self, request: Request) -> Response:
        """Give dead letters all their attempts again, by id or by filter.

        After 20 seconds it stops with `more`: send the same again.
        """
        values = DeadLettersRequestSerializer.read(request.data)
        return _reply("requeued", dead_letters.requeue, values, by=caller_of(request))

    @action(detail=False, methods=["post"])
    def purge(self, request: Request) -> Response:
        """Delete dead letters for good, with their attempts and inputs, by id or by filter.

        After 20 seconds it stops with `more`: send the same again.
        """
        values = DeadLettersRequestSerializer.read(request.data)
        return _reply("purged", dead_letters.purge, values, by=caller_of(request))


def audited(verb: Verb, by: Caller) -> Verb:
    """The verb, or for a person at a browser that of the console, which writes the audit too."""
    if by.kind is not CallerKind.USER:
        return verb
    of_console = PURGE if verb is dead_letters.purge else REQUEUE

    def use(ids: Sequence[UUID], actor: str, reason: str) -> DeadLetterResult:
        rows = Task.objects.filter(pk__in=ids)
        handled = verbs.use(of_console, rows, by, reason[: verbs.LONGEST_REASON], {})
        refused = {key: problem for key, problem in handled.refused if isinstance(key, UUID)}
        return DeadLetterResult(len(handled.done), refused)

    return use


def _reply(past: str, verb: Verb, values: Values, *, by: Caller) -> Response:
    """Apply the verb once to each task that the body names; answer with counts and refusals."""
    reason = values["reason"]
    verb = audited(verb, by)
    malformed = [text for text in values["ids"] if fields.identifier(text) == fields.NOBODY]
    named = {fields.identifier(text): text for text in values["ids"] if text not in malformed}
    if values["ids"]:
        check_each(Task.objects.filter(pk__in=list(named)), by)
        handled = dead_letters.each(verb, list(named), by=by.name, reason=reason)
    else:
        query = QueryDict(urlencode(values["filter"]))
        theirs = visible(Task.objects.dead_letters(), by, changes=True)
        found = filters.apply(DeadLetterFilters, query, theirs).rows
        handled = dead_letters.every(verb, found, by=by.name, reason=reason)
    unknown = [(text, TaskUnknown(f"There is no task {text!r}.")) for text in malformed]
    judged = [(named[task_id], problem) for task_id, problem in handled.refused.items()]
    refused = [
        {"id": text, "code": problem.code, "message": problem.message}
        for text, problem in [*unknown, *judged]
    ]
    more = {"more": True} if handled.more else {}
    return Response({past: handled.count, "refused": refused, **more})
