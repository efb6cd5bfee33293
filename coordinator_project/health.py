"""`GET /health`: the process answers. `GET /health/details`: state of database and loop."""

import time
from datetime import datetime

from django.db import Error, connection
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request

from api.views import JsonView, filled, reply
from coordinator_project.models import LeaderLease, PassRecord
from problems import http

Body = dict[str, object]


@csrf_exempt
def health(request: HttpRequest) -> HttpResponse:
    """Public, without the database."""
    if request.method not in {"GET", "HEAD"}:
        message = f"/health does not support {request.method}; use GET."
        refusal = http.error(request.path, 405, "method_not_allowed", message)
        refusal["Allow"] = "GET, HEAD"
        return refusal
    return JsonResponse({"ok": True, "time": timezone.now()})


class DetailsView(JsonView):
    """503 when the database is away, nobody leads the loop, or a pass is late."""

    def get(self, request: Request) -> HttpResponse:
        body: Body = {"ok": False, "time": timezone.now()}
        try:
            body |= {"database": _database(), "loop": (loop := _loop())}
        except Error as problem:
            body["database"] = {"ok": False, "problem": str(problem).partition("\n")[0]}
            return reply(body, 503)
        body["ok"] = loop["ok"]
        return reply(body, 200 if loop["ok"] else 503)


def _database() -> Body:
    started = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        version = cursor.fetchone()[0]
    milliseconds = round((time.monotonic() - started) * 1000, 1)
    return {"ok": True, "version": version, "milliseconds": milliseconds}


def _loop() -> Body:
    """Whether a process leads, and the status of each pass."""
    led, since = _leader()
    passes = list(PassRecord.objects.with_late())
    ok = led and bool(passes) and not any(one.late for one in passes)
    return {"ok": ok, "led": led, **filled(led_since=since), "passes": [_pass(p) for p in passes]}


def _leader() -> tuple[bool, datetime | None]:
    """Whether a process leads, and since when."""
    lease = LeaderLease.objects.filter(expires_at__gt=Now()).first()
    return lease is not None, lease.led_since if lease else None


def _pass(row: PassRecord) -> Body:
    return {
        "name": row.name,
        "every_seconds": row.every.total_seconds(),
        "late": row.late,
        "milliseconds": row.milliseconds,
        "done": row.done,
        "failures": row.failures,
        **filled(last_success_at=row.last_success_at, problem=row.problem),
    }
