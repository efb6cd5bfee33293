"""`/v1/dead-letters`: list, requeue or purge failed tasks."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, QuerySet
from django.http import HttpResponse, QueryDict
from django_filters import CharFilter, IsoDateTimeFilter, UUIDFilter
from rest_framework.fields import empty
from rest_framework.request import Request

from accounts.callers import caller_of
from api import fields, filters
from api.filters import Given, NameFilter, PeriodFilters
from api.pages import Found, LatestPage
from api.serializers import Nested, RequestSerializer, Values
from api.views import JsonView, reply
from problems import Invalid
from tasks import bodies, dead_letters
from tasks.dead_letters import Verb
from tasks.exceptions import TaskUnknown
from tasks.models import Attempt, Task
from tasks.querysets import TaskQuerySet
from tasks.serializers import LONGEST_TEXT

MOST_IDS = 1000


class DeadLetterFilters(PeriodFilters):
    """Filters of dead letters, in a query or, by the same names, in a body."""

    reason = CharFilter(field_name="dead_letter")
    channel_id = UUIDFilter()
    chain_id = UUIDFilter()
    job_id = CharFilter(method="of_job")
    agent_id = NameFilter()
    type = CharFilter()
    finished_after = IsoDateTimeFilter(field_name="finished_at", lookup_expr="gte")
    finished_before = IsoDateTimeFilter(field_name="finished_at", lookup_expr="lt")

    class Meta:
        model = Task
        fields: list[str] = []

    def within(self, rows: QuerySet[Any], given: Given) -> QuerySet[Any]:
        for name in {"finished_after", "finished_before"} & given.keys():
            rows = self.filters[name].filter(rows, given[name])
        return rows

    def of_job(self, rows: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        return rows.filter(job=fields.job_identifier(value))


class FilterRequestSerializer(RequestSerializer):
    """A filter in a body. An unknown name is refused, since ignoring it would widen the filter."""

    reason = fields.Text(default="", max_length=200)
    channel_id = fields.Text(default="", max_length=200)
    chain_id = fields.Text(default="", max_length=200)
    job_id = fields.Text(default="", max_length=200)
    agent_id = fields.Name(default="")
    type = fields.Text(default="", max_length=200)
    finished_after = fields.Text(default="", max_length=200)
    finished_before = fields.Text(default="", max_length=200)
    created_after = fields.Text(default="", max_length=200)
    created_before = fields.Text(default="", max_length=200)

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

    def validate(self, attrs: Values) -> Values:
        chosen = attrs["filter"]
        if bool(attrs["ids"]) == (chosen is not None):
            raise Invalid("ids_or_filter_required")
        if chosen == {} and not attrs["all"]:
            raise Invalid("all must be true with an empty filter, which means every dead letter")
        return attrs


class DeadLettersView(JsonView):
    def get(self, request: Request) -> HttpResponse:
        page = LatestPage("finished_at")
        rows = page.rows_of(_found(request.query_params), request)
        bad = dict(
            Attempt.objects.filter(task__in=rows)
            .order_by()
            .values_list("task")
            .annotate(number=Count("pk"))
        )
        shown = [bodies.task(row) | {"bad_attempts_count": bad.get(row.pk, 0)} for row in rows]
        return reply({"dead_letters": shown, **page.next_cursor()})


def _found(query: QueryDict) -> Found[Task]:
    return filters.apply(DeadLetterFilters, query, Task.objects.dead_letters())


class RequeueDeadLettersView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(DeadLettersRequestSerializer)
        return _reply("requeued", dead_letters.requeue, values, by=caller_of(request).name)


class PurgeDeadLettersView(JsonView):
    def post(self, request: Request) -> HttpResponse:
        values = self.read(DeadLettersRequestSerializer)
        return _reply("purged", dead_letters.purge, values, by=caller_of(request).name)


def _reply(past: str, verb: Verb, values: Values, *, by: str) -> HttpResponse:
    """Apply the verb once to each task that the body names; answer with counts and refusals."""
    reason = values["reason"]
    malformed = [text for text in values["ids"] if fields.identifier(text) == fields.NOBODY]
    named = {fields.identifier(text): text for text in values["ids"] if text not in malformed}
    if values["ids"]:
        handled = dead_letters.each(verb, list(named), by=by, reason=reason)
    else:
        found = _found(QueryDict(urlencode(values["filter"]))).rows
        handled = dead_letters.every(verb, found, by=by, reason=reason)
    unknown = [(text, TaskUnknown(f"There is no task {text!r}.")) for text in malformed]
    judged = [(named[task_id], problem) for task_id, problem in handled.refused.items()]
    refused = [
        {"id": text, "code": problem.code, "message": problem.message}
        for text, problem in [*unknown, *judged]
    ]
    more = {"more": True} if handled.more else {}
    return reply({past: handled.count, "refused": refused, **more})
