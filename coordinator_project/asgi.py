"""The one door: what waits or streams takes the async lane, everything else the threads.

Measured on one REST view: through Django's own ASGI handler a request costs twice the CPU that it
costs through threads and WSGI.
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

from coordinator_project.body import Refused, body_of, replay
from coordinator_project.lane import Responder
from coordinator_project.wsgi import application as wsgi_application
from dashboard import consumers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coordinator_project.settings")

# Each thread keeps a connection to the database: four for two cores and one of either kind of
# process are what PostgreSQL serves fastest.
THREADS = 4
STREAMS = ("/v1/stream", "/console/stream", "/console/changes")
CLAIM = "/v1/tasks/claim"
WAITING_CLAIM = "/v1/tasks/claim/wait"
HEALTH = ("/api/v1/health", "/api/v1/health/")

waiting_lane = get_asgi_application()
threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lane")
# What Django's middleware does in threads, for all that wait and stream. By itself Django keeps a
# thread for each such request, with a connection for each that has asked the database, to its end.
thread = ThreadPoolExecutor(1, thread_name_prefix="waiting-lane")
# Not to be held up by any of them.
health_thread = ThreadPoolExecutor(1, thread_name_prefix="health-lane")


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
    except Refused as refused:
        await refused.answer(send)
        return
    if body is None:
        return
    path = scope["path"]
    if path == CLAIM and b"wait_seconds=" in scope["query_string"]:
        path = WAITING_CLAIM
        scope["path"], scope["raw_path"] = path, path.encode()
    if path in (*STREAMS, WAITING_CLAIM, *HEALTH):
        async with ThreadSensitiveContext(executor=health_thread if path in HEALTH else thread):
            # Django's stubs take any mapping where the types of ASGI name the fields.
            await waiting_lane(scope, replay(body, receive), send)  # type: ignore[arg-type]
    else:
        await Responder(wsgi_application, threads, body)(scope, receive, send)


async def _connect(scope: WebSocketScope, receive: Receive, send: Send) -> None:
    """Let a page watch if HTTP, asked for the same path with the same headers, lets it."""
    if scope["path"] != consumers.PATH:
        await send({"type": "websocket.close", "code": 1000, "reason": "No WebSockets here."})
        return
    status = 500

    async def take(message: SendEvent) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    asked = {
        **scope,
        "type": "http",
        "method": "GET",
        "scheme": "https" if scope["scheme"] == "wss" else "http",
        "headers": [header for header in scope["headers"] if b"_" not in header[0]],
    }
    async with ThreadSensitiveContext(executor=thread):
        await waiting_lane(asked, replay(b"", _nothing_more), take)  # type: ignore[arg-type]
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
