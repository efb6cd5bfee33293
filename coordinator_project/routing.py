"""WebSockets: their paths, room by room. Pages of other sites may open none."""

from typing import Any

from channels.routing import URLRouter
from django.urls import re_path

import collab.routing
import dashboard.routing
from accounts.websockets import SameOriginValidator, Scope


async def nothing_here(scope: Scope, receive: Any, send: Any) -> None:
    await send({"type": "websocket.close", "code": 1000, "reason": "No WebSockets here."})


application = SameOriginValidator(
    URLRouter(
        [
            *dashboard.routing.websocket_urlpatterns,
            *collab.routing.websocket_urlpatterns,
            re_path("", nothing_here),  # type: ignore[arg-type]
        ]
    )
)
