"""Answers with the log of a task: a page of it, all of it, or as it grows.

`answer` takes any request and task; who may see the task is the caller's to check.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from functools import partial
from uuid import UUID

import orjson
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.callers import Caller, caller_of
from accounts.watch import Watch, calling, is_over
from accounts.watching import watching
from api.filters import flag
from artifacts import reading
from artifacts.exceptions import LogUnknown
from artifacts.following import following
from artifacts.models import LogBatch
from artifacts.reading import STREAMS, Line, Piece, Place
from artifacts.threads import in_thread
from events import shutdown, slots
from events.sse import HEADERS, PING, PING_AFTER
from problems import Invalid
from tasks.models import Task
from tasks.states import FINISHED

COMBINED = "combined"
NEXT = "X-Next-Cursor"
LAST_SEEN = "Last-Event-ID"
MOST = 5_000  # lines of a page
END = b"event: end\ndata: {}\n\n"
FORMATS = {"json": "application/json; charset=utf-8", "text": "text/plain; charset=utf-8"}
SAFE = {"X-Content-Type-Options": "nosniff"}  # a log may look like a page


async def answer(request: Request, task: Task) -> HttpResponseBase:
    """The log as the query asks for it.

    With `limit` a page, and in X-Next-Cursor where the next one begins, while there may be one.
    With `follow` server-sent events, until the task has ended. Else the whole log, from `cursor`.
    Raises LogUnknown where there is none.
    """
    query = request.query_params
    streams = _streams(query.get("stream", ""))
    form = query.get("format", "") or "json"
    if form not in FORMATS:
        raise Invalid("format must be json or text")
    if flag(query, "follow"):
        place = Place.parse(request.headers.get(LAST_SEEN) or query.get("cursor", ""))
        slots.check(slots.holder_of(caller_of(request)))
        events = _events(task.pk, streams, place, caller_of(request))
        return StreamingHttpResponse(await _begun(events), headers={**HEADERS, **SAFE})
    place = Place.parse(query.get("cursor", ""))
    if not await in_thread(LogBatch.objects.filter(task=task.pk).exists):
        raise LogUnknown
    head = {"Content-Type": FORMATS[form], **SAFE}
    if "limit" in query:
        return await _page(task.pk, streams, place, _limit(query["limit"]), form, head)
    parts = reading.pieces(task.pk, streams, place)
    shown = _as_json(parts) if form == "json" else _as_text(parts)
    return StreamingHttpResponse(await _begun(shown), headers=head)


def _streams(name: str) -> tuple[str, ...]:
    if name in {"", COMBINED}:
        return STREAMS
    if name not in STREAMS:
        raise Invalid(f"stream must be one of {', '.join((*STREAMS, COMBINED))}")
    return (name,)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= MOST:
        raise Invalid(f"limit must be a whole number from 1 to {MOST}")
    return int(text[:9])


async def _page(
    task_id: UUID,
    streams: tuple[str, ...],
    place: Place,
    limit: int,
    form: str,
    head: dict[str, str],
) -> HttpResponse:
    """So many lines, or fewer where these are long."""
    ended = await in_thread(partial(has_ended, task_id))
    lines: list[Line] = []
    size, more = 0, not ended
    parts = reading.pieces(task_id, streams, place, most=limit, is_whole=ended)
    async with aclosing(parts):  # type: ignore[type-var]  # it is a generator
        async for piece in parts:
            lines += piece.lines
            place = piece.then
            size += sum(len(line.message) for line in piece.lines)
            if len(lines) >= limit or size >= reading.MOST_BYTES:
                more = True
                break
    body = b"[" + _joined(lines) + b"]\n" if form == "json" else _texts(lines)
    return HttpResponse(body, headers=head | ({NEXT: str(place)} if more else {}))


async def _begun(parts: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """The same parts, of which the first has been made: so what fails at once is an error."""
    first = await anext(parts, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        async with aclosing(parts):
            yield first
            async for part in parts:
                yield part

    return all_of_them()


async def _as_json(parts: AsyncIterator[Piece]) -> AsyncGenerator[bytes]:
    before = b"["
    async for piece in parts:
        yield before + _joined(piece.lines)
        before = b","
    yield b"[]\n" if before == b"[" else b"]\n"


async def _as_text(parts: AsyncIterator[Piece]) -> AsyncGenerator[bytes]:
    async for piece in parts:
        yield _texts(piece.lines)


async def _events(
    task_id: UUID, streams: tuple[str, ...], place: Place, caller: Caller
) -> AsyncGenerator[bytes]:
    with slots.taken(slots.holder_of(caller)):
        yield b"retry: 2000\n\n"  # made with the answer, which so takes the slot that it has seen
        async with (
            watching(caller) as watch,
            following(task_id) as grown,
            calling(watch, grown.set),
        ):
            while not (shutdown.has_begun() or is_over(watch)):
                grown.clear()
                # First, so that of a task that has ended nothing is missing.
                ended = await in_thread(partial(has_ended, task_id))
                async for piece in reading.pieces(task_id, streams, place, is_whole=ended):
                    place = piece.then
                    yield _frames(piece)
                    if _must_stop(watch):
                        return
                if ended:
                    yield END
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(PING_AFTER):
                        await grown.wait()
                if not grown.is_set():
                    yield PING


def _must_stop(watch: Watch) -> bool:
    return shutdown.has_begun() or is_over(watch)


def has_ended(task_id: UUID) -> bool:
    """Whether nothing can be added to the log of the task any more; also where it is gone."""
    return not Task.objects.filter(pk=task_id).exclude(status__in=FINISHED).exists()


def _shown(line: Line) -> dict[str, object]:
    return {
        "timestamp": line.at,
        "stream": line.stream,
        "message": line.message,
        "attempt": line.attempt,
    }


def _joined(lines: list[Line]) -> bytes:
    return orjson.dumps([_shown(line) for line in lines])[1:-1]


def _texts(lines: list[Line]) -> bytes:
    return "".join([f"{line.message}\n" for line in lines]).encode()


def _frames(piece: Piece) -> bytes:
    """An event for each line, the last of which has the cursor: what breaks off comes again."""
    events = [b"data: %b\n\n" % orjson.dumps(_shown(line)) for line in piece.lines]
    events[-1] = b"id: %b\n" % str(piece.then).encode() + events[-1]
    return b"".join(events)
