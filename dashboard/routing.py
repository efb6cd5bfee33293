"""The WebSocket of pages."""

from django.urls import path

from accounts.websockets import CallerMiddleware
from dashboard.consumers import Live

websocket_urlpatterns = [path("console/live", CallerMiddleware(Live.as_asgi()))]
