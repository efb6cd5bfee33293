"""`GET /health`: the process answers. Public, and asks nothing of the database."""

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"ok": True, "time": timezone.now()})
