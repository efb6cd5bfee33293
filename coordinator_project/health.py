"""`GET /health`: the process answers. `GET /health/details`: all that it needs, and the loop."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.db import Error, connection, connections, transaction
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.answers import filled
from artifacts import health as store_health
from coordinator_project import schema, vitals
from coordinator_project.models import LeaderLease, PassRecord
from coordinator_project.vitals import Sign
from events import tail
from problems import database

Body = dict[str, object]

WITHIN = 5.0  # seconds
pool = ThreadPoolExecutor(1, thread_name_prefix="details")


@schema.health
class HealthView(APIView):
    """Public, without the database."""

    http_method_names = ["get", "head"]
    authentication_classes = []
    permission_classes = []
    throttle_classes = []

    def get(self, request: Request) -> Response:
        """Say that the process answers."""
        return Response({"ok": True, "time": timezone.now()})


@schema.live
class LiveView(HealthView):
    """The same, by the name that Kubernetes' people look for."""


@schema.details
class DetailsView(APIView):
    """503 when database or object store takes no changes, the loop is late, a process stands still.

    Looks on a connection of its own, in a thread of its own: so it answers in a bounded time, and
    is told if the database has no connection left.
    """

    def get(self, request: Request) -> Response:
        """Say whether database, object store, maintenance loop and processes are well."""
        body: Body = {"ok": False, "time": timezone.now()}
        looking = pool.submit(look)
        try:
            body |= looking.result(WITHIN)
        except TimeoutError:
            looking.cancel()
            body["database"] = _problem(f"no answer within {WITHIN:.0f} seconds", "database_away")
        waiting = body.get("object_store")  # if the database has answered
        body["object_store"] = {
            **store_health.writable(),
            **(waiting if isinstance(waiting, dict) else {}),
        }
        body["processes"] = processes = [_process(sign) for sign in signs()]
        parts = [body["database"], body["object_store"], body.get("loop"), *processes]
        body["ok"] = all(isinstance(part, dict) and part["ok"] for part in parts)
        return Response(body, 200 if body["ok"] else 503)


def look() -> Body:
    """The state of the database, and of the loop if it can be read."""
    body: Body = {}
    try:
        body |= {"database": _database(), "loop": _loop()}
        body["object_store"] = store_health.waiting()
        _write()
    except Error as failure:
        cause = database.cause_of(failure)
        body["database"] = _problem(database.first_line(failure), cause.word if cause else "")
    finally:
        connections.close_all()
    return body


def _problem(problem: str, cause: str) -> Body:
    return {"ok": False, "problem": problem, **filled(cause=cause)}


def _database() -> Body:
    started = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        version = cursor.fetchone()[0]
    milliseconds = round((time.monotonic() - started) * 1000, 1)
    return {"ok": True, "version": version, "milliseconds": milliseconds}


@transaction.atomic
def _write() -> None:
    """Write without leaving a trace; raises the database's error when that is not possible.

    A change shows whether the database is read-only, a large answer in little memory whether a file
    can grow, and the commit whether the write-ahead log can.
    """
    PassRecord.objects.filter(pk="").delete()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '3s'; SET LOCAL work_mem = '64kB'")
        cursor.execute("SELECT count(*) FROM generate_series(1, 50000)")
        cursor.execute("SELECT pg_logical_emit_message(true, 'coordinator', 'health')")


def signs() -> list[Sign]:
    """Of all processes of this `serve`; of this process alone where there is none."""
    return vitals.present.signs() or [Sign("this", 0.0, tail.behind())]


def _process(sign: Sign) -> Body:
    behind = None if sign.behind is None else round(sign.behind, 1)
    return {
        "name": sign.name,
        "ok": sign.ok,
        "silent_seconds": round(sign.seconds, 1),
        **filled(stream_behind_seconds=behind),
    }


def _loop() -> Body:
    """Whether a process leads, and the status of each pass."""
    led, since = _leader()
    passes = list(PassRecord.objects.with_late())
    ok = led and bool(passes) and not any(one.late for one in passes)
    return {"ok": ok, "led": led, **filled(led_since=since), "passes": [_pass(p) for p in passes]}


def late_passes() -> list[str]:
    """The names of the passes that are late."""
    return [one.name for one in PassRecord.objects.with_late() if one.late]


def led() -> bool:
    """Whether a process leads the loop."""
    return _leader()[0]


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
