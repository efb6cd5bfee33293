"""Server-sent events of jobs: `/functions/v1/job-events` and `/api/collab/events/stream`."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import UUID

import orjson
from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from rest_framework.request import Request

from accounts.callers import Caller, caller_of
from accounts.scopes import Scope
from api import body
from api.async_views import AsyncAPIView
from collab import channels, envelope, streams
from collab import stream_schema as schema
from collab.authentication import OF_STREAMS
from collab.functions import COUNTED, THROTTLES
from collab.happenings import Happening
from collab.models import CollabJob
from collab.streams import Limits, News
from events import slots
from events.sse import HEADERS, PING, RETRY, cursor_of, frame
from problems import Invalid
from tasks.states import FINISHED

LONGEST_MS = 24 * 60 * 60 * 1000
MILLISECONDS = re.compile("[0-9]{1,15}", re.ASCII)
DELETED = "task.deleted"


class OfJobsView(AsyncAPIView):
    """Users may follow what is theirs or nobody's, too."""

    http_method_names = ["get"]
    authentication_classes = OF_STREAMS
    users_may = frozenset({"get"})


@schema.job_events
class JobEventsView(OfJobsView):
    """One job, until it ends."""

    function_scope = Scope.READ
    throttle_scope = THROTTLES[Scope.READ]
    throttle_classes = COUNTED

    async def get(self, request: Request) -> StreamingHttpResponse:
        """Follow one job: what happened to it, what happens, and how it ended.

        `meta` comes first, then `progress` for each event, `done` at the end, `ping` after 15
        seconds of silence, and `idle` when the stream ends before the job.
        """
        query, caller = request.query_params, caller_of(request)
        job = await _job(_id(query.get("id", "")), caller)
        idle, longest = (_seconds(query.get(name, ""), name) for name in LIMITS)
        after = cursor_of(request)
        if after is None:
            moment = _moment(query.get("last_event_ts", ""))
            after = await sync_to_async(channels.last_before)(job.pk, moment)
        slots.check(slots.holder_of(caller))
        parts = _until_done(job, after, caller, Limits(idle, longest))
        return StreamingHttpResponse(parts, headers=HEADERS)


@schema.event_stream
class EventStreamView(OfJobsView):
    """The events of one job, or of all jobs."""

    async def get(self, request: Request) -> StreamingHttpResponse:
        """Follow the events of one job until it ends, or of all jobs that the caller may see.

        Each event has seed 003's name. Without `after`, those of one job come from its beginning,
        and those of all from now on.
        """
        caller, after = caller_of(request), cursor_of(request, "after")
        if "id" in request.query_params:
            job = await _job(_id(request.query_params["id"]), caller)
            parts = _events_of(job, after or 0, caller)
        else:
            parts = _all_events(after, caller)
        slots.check(slots.holder_of(caller))
        return StreamingHttpResponse(parts, headers=HEADERS)


LIMITS = ("idle_close_ms", "max_ms")


async def _job(job_id: UUID, caller: Caller) -> CollabJob:
    return await sync_to_async(channels.visible_job)(job_id, caller)


async def _until_done(
    job: CollabJob, after: int, caller: Caller, limits: Limits
) -> AsyncGenerator[bytes]:
    yield RETRY + _frame("meta", _summary(job))
    async with aclosing(streams.of_one(job, after, caller, limits)) as pieces:
        async for news in pieces:
            if news is None:
                yield _frame("ping", {"ts": datetime.now(UTC)})
                continue
            end = _end_in(news)
            for one in news.happenings:
                name = "done" if one is end else "progress"
                yield _frame(name, _told(one, is_end=one is end), one.event.pk)
            if end is not None:
                return
            if _has_ended_before(job, news, after):
                yield _frame("done", {**_summary(job), **_outcome(job)})
                return
    yield _frame("idle", {"job_id": job.pk, "ts": datetime.now(UTC)})


async def _events_of(job: CollabJob, after: int, caller: Caller) -> AsyncGenerator[bytes]:
    yield RETRY
    async with aclosing(streams.of_one(job, after, caller, Limits())) as pieces:
        async for news in pieces:
            if news is None:
                yield PING
                continue
            for one in news.happenings:
                yield _frame(str(one.row["event_type"]), one.row, one.event.pk)
            if _end_in(news) or _has_ended_before(job, news, after):
                return


async def _all_events(after: int | None, caller: Caller) -> AsyncGenerator[bytes]:
    """Only the last event of what comes together has an id: it covers all of them."""
    yield RETRY
    async with aclosing(streams.of_all(after, caller)) as pieces:
        async for news in pieces:
            if news is None:
                yield PING
            elif not news.complete:
                yield _frame("incomplete", {"after": str(after)}, news.cursor)
            elif not news.happenings:
                yield b"id: %d\n\n" % news.cursor
            else:
                *others, last = news.happenings
                for one in others:
                    yield _frame(str(one.row["event_type"]), one.row)
                yield _frame(str(last.row["event_type"]), last.row, news.cursor)


def _end_in(news: News) -> Happening | None:
    """The event with which the job has ended, unless another one follows: it was tried again."""
    last = news.happenings[-1] if news.happenings and not news.more else None
    return last if last and (last.ends or last.event.type == DELETED) else None


def _has_ended_before(job: CollabJob, news: News, after: int) -> bool:
    """Whether the job ended with an event that the client has, or that the journal has no more."""
    return not (news.happenings or news.more) and news.cursor == after and job.status in FINISHED


def _summary(job: CollabJob) -> dict[str, object]:
    return {
        "job_id": job.pk,
        "executor_id": job.executor_id,
        "type": job.type,
        "status": job.job_status,
        "ts": job.updated_at,
        "trace_id": job.trace_id,
    }


def _outcome(job: CollabJob) -> dict[str, object]:
    return {"result": envelope.result_of(job), "error": envelope.error_of(job)}


def _told(one: Happening, *, is_end: bool) -> dict[str, object]:
    """The event, and in the end what came of its job."""
    told = {**one.row, "ts": one.event.created_at}
    told["trace_id"] = one.job.trace_id if one.job else None
    if is_end:
        told["status"] = one.job.job_status if one.job else "deleted"
        told |= _outcome(one.job) if one.job else {"result": None, "error": None}
    return told


def _frame(event: str, value: Mapping[str, object], cursor: int | None = None) -> bytes:
    return frame(event, body.dumps(value, orjson.OPT_UTC_Z), cursor)


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise _refused("id", "must be the id of a job") from None


def _seconds(given: str, name: str) -> float:
    """A time limit, given in milliseconds; without one, or with 0, there is none."""
    if not given:
        return float("inf")
    if not MILLISECONDS.fullmatch(given) or int(given) > LONGEST_MS:
        raise _refused(name, f"must be from 0 to {LONGEST_MS}")
    return int(given) / 1000 or float("inf")


def _moment(given: str) -> datetime | None:
    """A time, as ISO 8601 or in milliseconds since 1970."""
    if not given:
        return None
    try:
        if MILLISECONDS.fullmatch(given):
            return datetime.fromtimestamp(int(given) / 1000, UTC)
        at = datetime.fromisoformat(given)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise _refused("last_event_ts", "must be a time like 2026-01-31T12:00:00Z") from None


def _refused(field: str, why: str) -> Invalid:
    problem = Invalid(f"{field} {why}")
    problem.details = {field: [problem.message]}
    return problem
