"""The ASGI application: waiting claims and streams run async, other requests in threads.

Measured on one REST view: a request costs twice as much CPU through Django's ASGI handler as
through threads and WSGI.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from a2wsgi.asgi_typing import (
    HTTPScope,
    Receive,
    ReceiveEvent,
    Scope,
    Send,
    SendEvent,
    WebSocketScope,
)
from asgiref.sync import ThreadSensitiveContext
from django.core.asgi import get_asgi_application

from coordinator_project.body import BodyTooLarge, body_of, replay
from coordinator_project.budget import REQUEST_THREADS
from coordinator_project.threads import Responder
from coordinator_project.wsgi import application as wsgi_application
from dashboard import consumers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coordinator_project.settings")

STREAMS = ("/v1/stream", "/console/stream", "/console/changes")
CLAIM = "/v1/tasks/claim"
WAITING_CLAIM = "/v1/tasks/claim/wait"
HEALTH = ("/api/v1/health", "/api/v1/health/")

async_application = get_asgi_application()
threads = ThreadPoolExecutor(REQUEST_THREADS, thread_name_prefix="request")
# Runs the synchronous middleware of all async requests. Without it, Django keeps a thread for each
# such request to its end, and a connection for each that has used the database.
async_thread = ThreadPoolExecutor(1, thread_name_prefix="async")
# Health must not wait for any of them.
health_thread = ThreadPoolExecutor(1, thread_name_prefix="health")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await _answer(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        await _connect(scope, receive, send)


async def _answer(scope: HTTPScope, receive: Receive, send: Send) -> None:
    try:
        body = await body_of(scope, receive)
    except BodyTooLarge as refused:
        await refused.answer(send)
        return
    if body is None:
        return
    path = scope["path"]
    if path == CLAIM and b"wait_seconds=" in scope["query_string"]:
        path = WAITING_CLAIM
        scope["path"], scope["raw_path"] = path, path.encode()
    if path in (*STREAMS, WAITING_CLAIM, *HEALTH):
        executor = health_thread if path in HEALTH else async_thread
        async with ThreadSensitiveContext(executor=executor):
            # Django's stubs take any mapping where the types of ASGI name the fields.
            await async_application(scope, replay(body, receive), send)  # type: ignore[arg-type]
    else:
        await Responder(wsgi_application, threads, body)(scope, receive, send)


async def _connect(scope: WebSocketScope, receive: Receive, send: Send) -> None:
    """Accept a WebSocket if an HTTP request with the same path and headers is allowed."""
    if scope["path"] != consumers.PATH:
        await send({"type": "websocket.close", "code": 1000, "reason": "No WebSockets here."})
        return
    status = 500

    async def take(message: SendEvent) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    as_http = {
        **scope,
        "type": "http",
        "method": "GET",
        "scheme": "https" if scope["scheme"] == "wss" else "http",
        "headers": [header for header in scope["headers"] if b"_" not in header[0]],
    }
    async with ThreadSensitiveContext(executor=async_thread):
        await async_application(as_http, replay(b"", _nothing_more), take)  # type: ignore[arg-type]
    await consumers.Live(status)(scope, receive, send)


async def _nothing_more() -> ReceiveEvent:
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
