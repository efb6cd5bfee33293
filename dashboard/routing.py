"""WebSockets: their paths, and who may open one."""

from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from accounts.websockets import CallerMiddleware, SameOriginValidator, Scope
from dashboard.consumers import Live


async def nothing_here(scope: Scope, receive: Any, send: Any) -> None:
    await send({"type": "websocket.close", "code": 1000, "reason": "No WebSockets here."})


websocket_urlpatterns = [path("console/live", Live.as_asgi()), re_path("", nothing_here)]  # type: ignore[arg-type]
application = SameOriginValidator(CallerMiddleware(URLRouter(websocket_urlpatterns)))
