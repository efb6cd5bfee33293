"""The ASGI application: waiting claims and streams run async, other requests in threads.

Measured on one REST view: a request costs twice as much CPU through Django's ASGI handler as
through threads and WSGI.
"""

import asyncio
import os
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

from a2wsgi.asgi_typing import (
    HTTPScope,
    Receive,
    Scope,
    Send,
    WebSocketScope,
)
from asgiref.sync import ThreadSensitiveContext
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

from artifacts.threads import pool as artifacts_threads
from coordinator_project import threads
from coordinator_project.body import body_of, replay
from coordinator_project.liveness import answer_health
from coordinator_project.refusals import send_refusal
from coordinator_project.responder import Responder
from coordinator_project.spool import Spool
from coordinator_project.uploads import Upload
from coordinator_project.wsgi import application as wsgi_application
from problems import Problem, Unavailable

# isort: split
from coordinator_project import routing  # once `wsgi` has set Django up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coordinator_project.settings")

ALIVE = ("/health", "/livez")
STAYS_ENCODED = re.compile(rb"%(?=2[Ff]|25)")
DETAILS_WITHIN = 8.0  # seconds; they look for five

async_application = get_asgi_application()
# Runs the synchronous middleware of all async requests. Without it, Django keeps a thread for each
# such request to its end, and a connection for each that has used the database.
async_thread = ThreadPoolExecutor(1, thread_name_prefix="async")
# Health must not wait for any of them.
health_thread = ThreadPoolExecutor(1, thread_name_prefix="health")


def path_of(scope: HTTPScope) -> str:
    """The path decoded, but for encoded slashes and percent signs: they belong to a segment."""
    raw = scope.get("raw_path") or b""
    if b"%2" not in raw:
        return scope["path"]
    return unquote(STAYS_ENCODED.sub(b"%25", raw).decode("latin-1"))


async def _answer(scope: HTTPScope, receive: Receive, send: Send) -> None:
    if scope["path"] in ALIVE:
        await answer_health(scope, send)
        return
    scope["path"] = path_of(scope)
    if threads.is_upload(scope["method"], scope["path"]):
        upload = Upload(receive)
        upload.join(scope)
        await _in_async_django(scope, upload.receive_for_django, send)
        return
    body: bytes | Spool | None = None
    try:
        body = await body_of(scope, receive)
        if body is not None:
            await _answer_to(scope, body, receive, send)
    except Problem as problem:
        await send_refusal(problem, scope, send)
    finally:
        if isinstance(body, Spool):
            body.close()


async def _answer_to(scope: HTTPScope, body: bytes | Spool, receive: Receive, send: Send) -> None:
    path = scope["path"]
    if threads.is_waiting_claim(path, scope["query_string"]):
        path = threads.WAITING_CLAIM
        scope["path"], scope["raw_path"] = path, path.encode()
    if threads.is_async(path):
        await _in_async_django(scope, replay(body, receive), send)
        return
    lane = threads.lane_of(scope["method"], path)
    responder = Responder(wsgi_application, lane, body)
    if lane is not threads.details:
        await responder(scope, receive, send)
        return
    try:
        async with asyncio.timeout(DETAILS_WITHIN):
            await responder(scope, receive, send)
    except TimeoutError:
        raise Unavailable("The database does not answer.") from None


async def _in_async_django(scope: HTTPScope, receive: Receive, send: Send) -> None:
    path = scope["path"]
    executor = health_thread if path in threads.HEALTH_OF_SPOTS else async_thread
    if threads.is_of_logs_and_files(path):
        executor = artifacts_threads
    async with ThreadSensitiveContext(executor=executor):
        # Django's stubs take any mapping where the types of ASGI name the fields.
        await async_application(scope, receive, send)  # type: ignore[arg-type]


async def _connect(scope: WebSocketScope, receive: Receive, send: Send) -> None:
    async with ThreadSensitiveContext(executor=async_thread):
        await routing.application(scope, receive, send)


async def _lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return


application = ProtocolTypeRouter({"http": _answer, "websocket": _connect, "lifespan": _lifespan})
