"""Threads of requests for logs and files, with connections of their own.

Claims and heartbeats do not wait for them. What waits for the store or for a client, waits on the
event loop.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connection

THREADS = 2

pool = ThreadPoolExecutor(THREADS, thread_name_prefix="artifacts")
"""In which the ASGI application runs what is synchronous of these requests."""

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """Run the call in one of the threads of this request."""
    return await sync_to_async(_with_live_connection)(call)


def _with_live_connection(call: Callable[[], T]) -> T:
    if connection.in_atomic_block:  # under a synchronous handler it may be the caller's thread
        return call()
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()
