"""The results of a sweep as JSON, NDJSON or CSV."""

from collections.abc import Iterator
from itertools import chain

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from api import sizes
from api.pagination import requested_offset, requested_size
from api.renderers import dumps
from jobs import answers, export, results, sweeps
from jobs.models import Job
from jobs.results import ResultOrder
from problems import Invalid
from tasks.models import Task
from tasks.querysets import TaskQuerySet

KEPT = 200
"""The most results of an answer that are kept in memory; more are streamed."""

FORMATS = frozenset({"json", "csv", "ndjson"})
MEDIA = {"text/csv": "csv", "application/x-ndjson": "ndjson", "application/ndjson": "ndjson"}
PAGED = frozenset({"limit", "cursor", "offset"})


def answer(request: Request, job: Job) -> HttpResponseBase:
    """What was asked for of the job's results."""
    query = request.query_params
    order = ResultOrder(job, query.get("sort", ""))
    rows = order.applied_to(results.of(job, query))
    kind = _format(request)
    if kind == "json" and query.keys() & PAGED:
        return _page(request, job, order, rows)
    some = _cut(request, order, rows)
    if kind == "csv":
        return _table(job, some, failed=results.with_failed(query))
    if kind == "ndjson":
        return _streamed(export.as_lines(map(answers.result, some)), export.NDJSON)
    return _all(job, some)


def _format(request: Request) -> str:
    """The format named in the query, else the one preferred by the Accept header, else JSON."""
    named = request.query_params.get("format", "").lower()
    if named and named not in FORMATS:
        raise Invalid(f"format must be one of {', '.join(sorted(FORMATS))}")
    accepted = request.headers.get("Accept", "").partition(",")[0].partition(";")[0]
    return named or MEDIA.get(accepted.strip().lower(), "json")


def _cut(request: Request, order: ResultOrder, rows: TaskQuerySet) -> Iterator[Task]:
    """All rows, or those of the requested page."""
    if not request.query_params.keys() & PAGED:
        return order.in_pieces(rows)
    start = requested_offset(request)
    return iter(_behind(request, order, rows)[start : start + requested_size(request)])


def _behind(request: Request, order: ResultOrder, rows: TaskQuerySet) -> TaskQuerySet:
    cursor = request.query_params.get("cursor", "")
    return order.after(cursor, rows) if cursor else rows


def _page(request: Request, job: Job, order: ResultOrder, rows: TaskQuerySet) -> Response:
    start = requested_offset(request)
    behind = _behind(request, order, rows)
    page = sizes.first(behind, requested_size(request), skipped=start)
    more = page and order.after(order.cursor(page[-1]), rows).exists()
    return Response(
        {
            "jobId": job.public_id,
            "totalCompleted": rows.done().count(),
            "results": [answers.result(row) for row in page],
            **({"next_cursor": order.cursor(page[-1])} if more else {}),
        }
    )


def _all(job: Job, rows: Iterator[Task]) -> HttpResponseBase:
    """All results, streamed if there are many."""
    shown = map(answers.result, rows)
    few: list[dict[str, object]] = []
    held = 0
    for row in shown:
        few.append(row)
        held += len(dumps(row))
        if len(few) > KEPT or held > sizes.MOST_BYTES:
            head = {"jobId": job.public_id}
            return _streamed(export.as_json(head, chain(few, shown)), export.JSON)
    completed = sum(row["status"] == "DONE" for row in few)
    return Response({"jobId": job.public_id, "totalCompleted": completed, "results": few})


def _table(job: Job, rows: Iterator[Task], *, failed: bool) -> StreamingHttpResponse:
    among = sweeps.named_parameters(job.specification)
    response = _streamed(export.as_table(rows, among, failed=failed), export.CSV)
    response["Content-Disposition"] = f'attachment; filename="{job.public_id}.csv"'
    return response


def _streamed(pieces: Iterator[bytes], kind: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(pieces, content_type=kind)
