"""The WebSocket of realtime channels."""

from django.urls import path

from accounts.websockets import CallerMiddleware, SocketView
from collab.authentication import OF_STREAMS
from collab.consumers import Realtime


class RealtimeView(SocketView):
    """Users may open one, too: each channel is asked for."""

    authentication_classes = OF_STREAMS
    users_may = frozenset({"get"})


websocket_urlpatterns = [
    path("realtime/v1/websocket", CallerMiddleware(Realtime.as_asgi(), RealtimeView))
]
