"""The threads of an HTTP process, in lanes that do not wait for one another.

Each thread keeps a database connection; budget.py says how many there are.
"""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from coordinator_project.budget import THREADS
from problems import Unavailable

MOST_SIGN_INS = 32  # that run or wait in one process; a sign-in takes some tenths of a second

T = TypeVar("T")


class Busy(Unavailable):
    """Too many such requests wait here; try again in a moment."""


class Lane:
    """Threads of their own for one kind of request. `most`: of them at once; None: any number."""

    def __init__(self, name: str, threads: int, most: int | None = None) -> None:
        self.name = name
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self.most = most
        self.inside = 0

    async def run(self, call: Callable[[], T]) -> T:
        """Run the call in one of the threads. Raises Busy where too many run or wait."""
        if self.most is not None and self.inside >= self.most:
            raise Busy
        self.inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.executor, call)
        finally:
            self.inside -= 1


class Part(Lane):
    """Some of the threads of another lane: what may take very long leaves it the others."""

    def __init__(self, name: str, of: Lane, threads: int) -> None:
        self.name, self.executor, self.most, self.inside = name, of.executor, of.most, 0
        self.threads = asyncio.Semaphore(threads)

    async def run(self, call: Callable[[], T]) -> T:
        async with self.threads:
            return await super().run(call)


agents = Lane("agents", THREADS["agents"])
people = Lane("people", THREADS["people"])
bulk = Lane("bulk", THREADS["bulk"])
jobs = Part("jobs", bulk, THREADS["bulk"] - 1)
sign_ins = Lane("sign-ins", THREADS["sign-ins"], MOST_SIGN_INS)
details = Lane("details", 1)

CLAIM = "/v1/tasks/claim"
WAITING_CLAIM = "/v1/tasks/claim/wait"
STREAMS = (
    "/v1/stream",
    "/console/stream",
    "/console/changes",
    "/functions/v1/job-events",
    "/api/collab/events/stream",
)
HEALTH_OF_SPOTS = ("/api/v1/health", "/api/v1/health/", "/api/health", "/api/health/")
ASYNC_PATHS = (*STREAMS, *HEALTH_OF_SPOTS)
OF_A_TASK = r"/v1/tasks/[^/]+/|/api/v1/jobs/[^/]+/"
LOGS_AND_FILES = re.compile(
    rf"(?:{OF_A_TASK})(?:logs|artifacts|artifacts\.zip|artifacts/.+)|/files/.+", re.DOTALL
)
UPLOADS = re.compile(r"/v1/tasks/[^/]+/artifacts/.+", re.DOTALL)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CHECKS_PASSWORDS = (
    "/login",
    "/password",
    "/admin/login/",
    "/admin/password_change/",
    "/admin/accounts/user/",
    "/agent-auth.html",
)
SIGNS_IN = "/v1/auth/"
DETAILS_PATHS = ("/health/details", "/readyz")
OF_JOBS = "/api/v1/jobs"
OF_MANY_ROWS = ("/v1/chains", "/v1/dead-letters")
READ_BY_AGENTS = ("/v1/agents/", "/v1/tasks/")


def is_waiting_claim(path: str, query: bytes) -> bool:
    return path == WAITING_CLAIM or (path == CLAIM and b"wait_seconds=" in query)


def is_of_logs_and_files(path: str) -> bool:
    return LOGS_AND_FILES.fullmatch(path) is not None


def is_async(path: str) -> bool:
    """Whether async Django answers there; a waiting claim has a path of its own by then."""
    return path in ASYNC_PATHS or path == WAITING_CLAIM or is_of_logs_and_files(path)


def is_upload(method: str, path: str) -> bool:
    """Whether the view reads the body as it comes, which may be large."""
    return method == "PUT" and UPLOADS.fullmatch(path) is not None


def waits(path: str, query: bytes) -> bool:
    """Whether such a request is answered only when something happens; it ends with its client."""
    if path in STREAMS or is_waiting_claim(path, query):
        return True
    return b"follow=" in query and path.endswith("/logs")


def lane_of(method: str, path: str) -> Lane:
    """The lane of a request. What may take long does not share one with claims and heartbeats.

    Agents have the changes under /v1 and what they read of themselves and of single tasks; people
    have pages, admin and console; lists, jobs and all else that may have many rows is bulk. Making
    a job of very many tasks, or cancelling it, may take minutes; lists have a thread meanwhile.
    """
    if path.startswith("/internal/"):
        return agents
    if path.startswith(SIGNS_IN):
        return agents if method in SAFE else sign_ins
    if path.startswith("/v1/"):
        if path.startswith(OF_MANY_ROWS):
            return bulk
        return agents if method not in SAFE or path.startswith(READ_BY_AGENTS) else bulk
    if path.startswith(("/api/", "/functions/")):
        return jobs if method not in SAFE and path.startswith(OF_JOBS) else bulk
    if path in DETAILS_PATHS:
        return details
    if method not in SAFE and path.startswith(CHECKS_PASSWORDS):
        return sign_ins
    return people
