"""The one door: what waits or streams takes the async lane, everything else the threads.

Measured on one REST view: through Django's own ASGI handler a request costs twice the CPU that it
costs through threads and WSGI.
"""

import os
from concurrent.futures import ThreadPoolExecutor

from a2wsgi.asgi_typing import HTTPScope, Receive, Scope, Send
from asgiref.sync import ThreadSensitiveContext
from django.core.asgi import get_asgi_application

from coordinator_project.body import Refused, body_of, replay
from coordinator_project.lane import Responder
from coordinator_project.wsgi import application as wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coordinator_project.settings")

# Each thread keeps a connection to the database: four for two cores and one of either kind of
# process are what PostgreSQL serves fastest.
THREADS = 4
STREAM = "/v1/stream"
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
        await send({"type": "websocket.close", "code": 1000, "reason": "No WebSockets here."})


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
    if path in (STREAM, WAITING_CLAIM, *HEALTH):
        async with ThreadSensitiveContext(executor=health_thread if path in HEALTH else thread):
            # Django's stubs take any mapping where the types of ASGI name the fields.
            await waiting_lane(scope, replay(body, receive), send)  # type: ignore[arg-type]
    else:
        await Responder(wsgi_application, threads, body)(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
