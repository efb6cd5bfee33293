"""A thread that reads rows for all who watch, so that they take no thread of a request."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, connection

T = TypeVar("T")

BREATH = 1.0  # before a database that went away is tried again


class ReadingThread:
    """One thread per process reads rows for all subscribers, on its own connection."""

    def __init__(self, name: str, log: logging.Logger) -> None:
        self.log = log
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, read: Callable[[], T]) -> T:
        """Run it in the thread; a connection that broke is not kept."""

        def call() -> T:
            try:
                return read()
            except (DatabaseError, InterfaceError):
                connection.close()
                raise

        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    async def until_read(self, read: Callable[[], T]) -> T:
        """The same, again and again while the database is away."""
        while True:
            try:
                return await self.run(read)
            except (DatabaseError, InterfaceError) as problem:
                self.log.warning("The rows cannot be read.", extra={"problem": str(problem)})
                await asyncio.sleep(BREATH)
