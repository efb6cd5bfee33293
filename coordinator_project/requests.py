"""The middleware of every request: its id, one line in the log, and no copies of API answers."""

import logging
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from coordinator_project import observations
from events.context import request_id, unique_id
from problems.families import is_api

HEADER = "X-Request-Id"
LONGEST_ID = 200
SLOW = 1.0

Sync = Callable[[HttpRequest], HttpResponseBase]
Async = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

log = logging.getLogger("coordinator.request")


def id_for(given: str) -> str:
    """The client's id if it is printable and short, else a new one."""
    if 0 < len(given) <= LONGEST_ID and given.isascii() and given.isprintable():
        return given
    return secrets.token_hex(12)


@contextmanager
def _identified(request: HttpRequest) -> Iterator[str]:
    """The id of the request, which all that happens in the block has."""
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    current = id_for(given)
    ours = f"{current}.{secrets.token_hex(8)}" if current == given else current
    tokens = request_id.set(current), unique_id.set(ours)
    try:
        yield current
    finally:
        request_id.reset(tokens[0])
        unique_id.reset(tokens[1])


@sync_and_async_middleware
def identify_and_log(get_response: Sync | Async) -> Sync | Async:
    """Give each request an id, which its answer, log lines and events have.

    Nobody keeps a copy of an API's answer: it is true only now, and perhaps for this caller alone.
    """
    if iscoroutinefunction(get_response):
        return _async(get_response)
    return _sync(get_response)  # type: ignore[arg-type]  # iscoroutinefunction does not narrow the other branch


def _async(get_response: Async) -> Async:
    async def answer(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        with _identified(request) as current:
            response = await get_response(request)
            # Async requests wait on purpose.
            _finish(request, response, current, started, slow=math.inf)
        return response

    return answer


def _sync(get_response: Sync) -> Sync:
    def answer(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        with _identified(request) as current:
            response = get_response(request)
            _finish(request, response, current, started, slow=SLOW)
        return response

    return answer


def _finish(
    request: HttpRequest, response: HttpResponseBase, given: str, started: float, *, slow: float
) -> None:
    response.headers[HEADER] = given
    if is_api(request.path):
        response.headers.setdefault("Cache-Control", "no-store")
    took = time.perf_counter() - started
    status = response.status_code
    observations.answered(request, status, took)
    if status >= 500:
        level = logging.ERROR
    elif took > slow:
        level = logging.WARNING
    elif status >= 400:
        level = logging.INFO
    else:
        level = logging.DEBUG
    if log.isEnabledFor(level):
        # Only the path: the query may contain a token.
        fields = {"method": request.method, "path": request.path, "status": status}
        log.log(level, "request", extra={**fields, "milliseconds": round(took * 1000, 1)})
