"""`GET /api/v1/health`: public; counts of spots and tasks, or 503 when the database is away."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from django.db import Error, InterfaceError, OperationalError, connection
from rest_framework.request import Request
from rest_framework.response import Response

from agents.models import Agent, Protocol
from api.async_views import AsyncAPIView
from spots import schema

VERSION = "2.0.0"
"""The version that SPOTs see: that of the protocol they speak."""

UNVERIFIED = {"verified": False, "user_authenticated": False}
"""What seed 001 says of the caller, whom nobody asks for a credential here."""

WITHIN = 1.5  # seconds; clients give up after two
STARTED = time.monotonic()

# A thread of its own, since all request threads may be waiting for the database.
pool = ThreadPoolExecutor(1, thread_name_prefix="health")

# Open tasks follow from the jobs' counters, so a long queue costs nothing here.
WORK = """SELECT
  (SELECT COALESCE(sum(total - completed - failed - cancelled), 0) FROM jobs_job
    WHERE status IN ('PENDING', 'RUNNING')),
  (SELECT COALESCE(sum(total - completed - failed - cancelled), 0) FROM jobs_tally),
  (SELECT count(*) FROM tasks_task WHERE status = 'in_progress' AND job_id IS NOT NULL)"""


@schema.health
class HealthView(AsyncAPIView):
    """Public; it needs neither a credential nor a session, which would need the database."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []
    http_method_names = ["get", "head"]

    async def get(self, request: Request) -> Response:
        """Say whether the database answers, and how much there is to do.

        The answer comes within two seconds even if the database does not; its error is not shown.
        """
        try:
            async with asyncio.timeout(WITHIN):
                counts = await asyncio.wrap_future(pool.submit(look))
        except TimeoutError:
            return _unhealthy("does not answer")
        except Error:
            return _unhealthy("cannot be reached")
        return Response(
            {
                "status": "healthy",
                "database": "connected",
                **counts,
                "verification": UNVERIFIED,
                "version": VERSION,
                "uptime": uptime(time.monotonic() - STARTED),
            }
        )


@schema.job_health
class JobHealthView(HealthView):
    async def get(self, request: Request) -> Response:
        """Say the same where clients of seed 001 look for it."""
        return await super().get(request)


def _unhealthy(why: str) -> Response:
    return Response({"status": "unhealthy", "database": why}, 503)


def look() -> dict[str, int]:
    """The counts of now; a broken connection is opened again."""
    try:
        return _counts()
    except (OperationalError, InterfaceError):
        connection.close()
        return _counts()


def _counts() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(WORK)
        [(counted, tallied, running)] = cursor.fetchall()
    return {
        "activeSpots": Agent.objects.online().filter(protocol=Protocol.SPOT).count(),
        "pendingTasks": max(0, int(counted + tallied) - running),
        "runningTasks": running,
    }


def uptime(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours}h {minutes}m"
