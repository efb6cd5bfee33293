"""Whether the object store can be written; found out by a thread that others do not wait for."""

import asyncio
import threading
import time
from secrets import token_hex

from django.conf import settings

from artifacts import removals, store
from artifacts.exceptions import ObjectLost, ObjectMissing, StoreAway

FRESH = 15.0  # seconds for which an answer of the store is good
WITHIN = 1.0  # seconds that a look waits for a store that answers
CONTENT = b"health"

Body = dict[str, object]


class Probe:
    """Writes and deletes a small object now and then.

    One at a time: of a store that hangs, no more than one thread hangs.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.objects: store.ObjectStore | None = None
        self.thread: threading.Thread | None = None
        self.began = self.ended = 0.0
        self.problem = ""

    def problem_of(self, objects: store.ObjectStore) -> str:
        """Why the store cannot be written; "" where it can."""
        with self.lock:
            is_running = self.thread is not None and self.thread.is_alive()
            is_fresh = self.objects is objects and time.monotonic() - self.ended < FRESH
            if not is_running and not is_fresh:
                self._begin(objects)
            thread, until = self.thread, self.began + WITHIN
        if thread is not None:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                silent = time.monotonic() - self.began
                return f"The object store has not answered for {silent:.0f} seconds."
        return self.problem

    def _begin(self, objects: store.ObjectStore) -> None:
        self.objects, self.began = objects, time.monotonic()
        self.thread = threading.Thread(
            target=self._run, args=[objects], name="object-store-health", daemon=True
        )
        self.thread.start()

    def _run(self, objects: store.ObjectStore) -> None:
        problem = "The object store could not be tried."
        try:
            asyncio.run(_write(objects))
            problem = ""
        except StoreAway as failure:
            problem = str(failure)  # which has nothing of the store's own words
        finally:
            self.problem, self.ended = problem, time.monotonic()


probe = Probe()


def writable() -> Body:
    """Which kind of store it is, and whether it can be written; within about a second."""
    problem = probe.problem_of(store.current())
    body: Body = {"ok": not problem, "kind": settings.OBJECT_STORE["kind"], "writable": not problem}
    return body | ({"problem": problem} if problem else {})


def waiting() -> Body:
    """How many objects are still to be removed, and since when; asks the database."""
    count, oldest = removals.waiting()
    body: Body = {"removals": count}
    return body | ({"oldest_removal_at": oldest} if oldest else {})


async def _write(objects: store.ObjectStore) -> None:
    """It is on no list of removals: what a crash leaves here is a few bytes."""
    key = f"health/{token_hex(8)}"
    try:
        await objects.put(key, store.one_part(CONTENT))
        if await store.whole(objects, key) != CONTENT:
            raise StoreAway("The object store gives other bytes than it was given.")
    except ObjectMissing:
        raise ObjectLost from None
    finally:
        await objects.delete(key)
