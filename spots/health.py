"""`GET /api/v1/health`: public; says how much there is to do, or that the database is away."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from django.db import Error, InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponseBase

from agents.models import Agent, Protocol
from api.views import reply
from api.waiting import answers
from spots.version import VERSION

WITHIN = 1.5  # seconds; who asks gives up after two
STARTED = time.monotonic()

# A thread of its own: those that serve requests may all be waiting for the database.
pool = ThreadPoolExecutor(1, thread_name_prefix="health")

# What is open follows from what the jobs have counted, so a long line costs nothing here.
WORK = """SELECT
  (SELECT COALESCE(sum(total - completed - failed - cancelled), 0) FROM jobs_job
    WHERE status IN ('PENDING', 'RUNNING')),
  (SELECT COALESCE(sum(total - completed - failed - cancelled), 0) FROM jobs_tally),
  (SELECT count(*) FROM tasks_task WHERE status = 'in_progress' AND job_id IS NOT NULL)"""


@answers("GET", "HEAD")
async def health(request: HttpRequest) -> HttpResponseBase:
    """Answer within two seconds, whatever the database does; why it is away stays with us."""
    try:
        async with asyncio.timeout(WITHIN):
            counts = await asyncio.wrap_future(pool.submit(look))
    except TimeoutError:
        return _unhealthy("does not answer")
    except Error:
        return _unhealthy("cannot be reached")
    return reply(
        {
            "status": "healthy",
            "database": "connected",
            **counts,
            "version": VERSION,
            "uptime": uptime(time.monotonic() - STARTED),
        }
    )


def _unhealthy(why: str) -> HttpResponseBase:
    return reply({"status": "unhealthy", "database": why}, 503)


def look() -> dict[str, int]:
    """What there is now; a connection that broke is made anew."""
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
