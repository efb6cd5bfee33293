"""`GET /health`: the process answers. Public, and asks nothing of the database."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from problems import http


@csrf_exempt
def health(request: HttpRequest) -> HttpResponse:
    if request.method not in {"GET", "HEAD"}:
        message = f"/health answers to GET, not to {request.method}."
        refusal = http.error(request.path, 405, "method_not_allowed", message)
        refusal["Allow"] = "GET, HEAD"
        return refusal
    return JsonResponse({"ok": True, "time": timezone.now()})
