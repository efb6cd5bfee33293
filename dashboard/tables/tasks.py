"""The table of tasks: by filters, in an order that an index has, page by page."""

from enum import StrEnum
from typing import Any

from django.db.models import QuerySet
from django_filters import CharFilter
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.fields import NOBODY, identifier
from api.filters import Given
from api.pagination import Found, KeysetPagination, LatestPagination, requested_size
from api.viewsets import ListViewSet
from console.filters import ids_beginning_with
from dashboard import board, rows
from dashboard.tables import matching, schema
from dashboard.tables.matching import Matching
from problems import Invalid
from tasks import queue
from tasks.answers import TaskSerializer
from tasks.filters import TaskFilters
from tasks.models import Task
from tasks.querysets import TaskQuerySet
from tasks.states import Status

USUAL = 100


class Sort(StrEnum):
    """The orders that an index has."""

    NEWEST = "newest"
    OLDEST = "oldest"
    ENDED = "ended"
    QUEUE = "queue"


def sort_of(query: Any) -> Sort:
    text = query.get("sort", "") or Sort.NEWEST
    if text not in set(Sort):
        raise Invalid(f"sort must be one of {', '.join(Sort)}")
    return Sort(text)


class TaskTableFilters(TaskFilters):
    """`text` is the beginning of an id, looked up among all tasks; else a part of a title.

    Where the last to end come first, rows are looked through in that order, whatever is asked.
    """

    dead_letter = CharFilter()
    text = CharFilter(method="with_text")

    def serves(self, name: str, value: object) -> bool:
        return sort_of(self.data) != Sort.ENDED and super().serves(name, value)

    def within(self, rows: QuerySet[Any], given: Given) -> QuerySet[Any]:
        failed = given.get("status") == Status.FAILED or "dead_letter" in given
        if sort_of(self.data) == Sort.ENDED:
            if after := given.get("created_after"):
                rows = rows.filter(finished_at__gte=after)
            return rows.exclude(dead_letter="") if failed else rows
        rows = super().within(rows, given)
        if bounds := _ids_like(given.get("text", "")):
            rows = rows.filter(pk__range=bounds)
        return rows.filter(status=Status.FAILED) if failed else rows

    def with_text(self, rows: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        if bounds := _ids_like(value):
            return rows.filter(pk__range=bounds)
        return rows.filter(title__icontains=value)


def _ids_like(text: str) -> tuple[object, object] | None:
    """The first and the last id that begin so; None if there is no such task."""
    bounds = ids_beginning_with(text)
    return bounds if bounds and Task.objects.filter(pk__range=bounds).exists() else None


class SortedPagination(KeysetPagination):
    """Pages in the order that the view has for this request."""

    def paginate_queryset(  # type: ignore[override]  # as its base
        self, queryset: Found[Task], request: Request, view: Any = None
    ) -> list[Task]:
        if view.sort != Sort.ENDED:
            return super().paginate_queryset(queryset, request, view)
        latest = LatestPagination()
        page: list[Task] = latest.paginate_queryset(queryset, request, view)
        self.key, self.next_cursor = latest.key, latest.next_cursor
        return page


@schema.tasks
class TaskTableViewSet(ListViewSet[Task]):
    """Tasks as a table shows them: without what may be large."""

    queryset = Task.objects.all()
    serializer_class = TaskSerializer
    filterset_class = TaskTableFilters
    pagination_class = SortedPagination
    list_key = "tasks"
    time_column = "finished_at"
    usual = USUAL

    @property
    def sort(self) -> Sort:
        return sort_of(self.request.query_params)

    @property
    def ordering(self) -> tuple[str, ...]:  # type: ignore[override]  # it depends on the request
        return ("id",) if self.sort == Sort.OLDEST else ("-id",)

    def get_queryset(self) -> QuerySet[Task]:
        lean = Task.objects.defer(*rows.LEFT_OUT)
        return lean.latest_finished().order_by() if self.sort == Sort.ENDED else lean

    def completed(self, rows_: list[Task]) -> list[Task]:
        for task in rows_:
            vars(task).update(rows.LEFT_OUT)  # or it would be read task by task
        return rows_

    def list(self, request: Request) -> Response:
        """List tasks by filters, in an order that an index has."""
        return self._queue(request) if self.sort == Sort.QUEUE else super().list(request)

    @action(detail=False)
    def ids(self, request: Request) -> Response:
        """Show the ids of the first 10,000 tasks that match, for a verb on all of them."""
        found = self._waiting(request) if self.sort == Sort.QUEUE else self._matching()
        return Response({"ids": found.keys, "more": found.more})

    def _matching(self) -> Matching:
        order = matching.ENDED_LAST if self.sort == Sort.ENDED else matching.NEWEST
        found: Any = self.filter_queryset(self.get_queryset())
        return matching.matching(found, order)

    def _queue(self, request: Request) -> Response:
        """The next in the queue of a channel, in the order in which they are claimed."""
        after, limit = request.query_params.get("cursor", ""), requested_size(request, USUAL)
        page = board.column(_channel(request), "queued", after, limit)
        more = {"next_cursor": page["next"]} if "next" in page else {}
        return Response({"tasks": page["tasks"], **more})

    def _waiting(self, request: Request) -> Matching:
        heads = queue.page(_channel(request), None, matching.MOST + 1)
        ids = [head.id for head in heads[: matching.MOST]]
        return Matching([*ids], len(heads) > len(ids))


def _channel(request: Request) -> Any:
    query = request.query_params
    others = sorted(name for name in TaskTableFilters.base_filters if query.get(name))
    if set(others) - {"channel_id", "status"} or query.get("status", "queued") != Status.QUEUED:
        raise Invalid("sort=queue is of the tasks that wait in one channel, without other filters")
    channel = identifier(query.get("channel_id", ""))
    if channel == NOBODY:
        raise Invalid("channel_id must name the channel of the queue")
    return channel
