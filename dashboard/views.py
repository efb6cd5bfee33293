"""`GET /v1/dashboard`: the snapshot that people's pages start from."""

from django.http import HttpResponse
from rest_framework.request import Request

from api.views import JsonView
from dashboard.snapshot import Snapshot

snapshot = Snapshot()


class DashboardView(JsonView):
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(snapshot.read(), content_type="application/json")
