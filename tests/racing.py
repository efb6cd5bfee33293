"""Threads that start at once, each with its own connection."""

import random
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Barrier

from django.db import connection


def with_connection(call):
    """The call's result, from a thread that closes its connection at the end."""
    try:
        return call()
    finally:
        connection.close()


def at_once(*calls, within=100):
    """The results of concurrent calls; an exception of one of them is raised."""
    start = Barrier(len(calls))

    def run(call):
        start.wait(timeout=30)
        return with_connection(call)

    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(run, call) for call in calls]
        return [future.result(timeout=within) for future in running]


LEAST, MOST = 24, 400
SPREAD = 0.012
"""Seconds by which one side of a race may start before the other: longer than either takes."""


def race(one, other, ahead):
    """The results of two concurrent calls, of which the first starts so much ahead of the other."""

    def after(seconds, call):
        time.sleep(max(0.0, seconds))
        return call()

    return at_once(partial(after, -ahead, one), partial(after, ahead, other))


def seen_in_rounds(play, *outcomes, often=3):
    """Play rounds until each outcome has come up a few times; any other is an error.

    `play` gets the seconds by which its first side starts ahead, checks what must hold however it
    ends, and names how it ended. Where an outcome is late in coming, the sides start closer.
    """
    seen = Counter()
    rng = random.Random(17)  # noqa: S311
    while sum(seen.values()) < LEAST or any(seen[name] < often for name in outcomes):
        assert sum(seen.values()) < MOST, f"not all of {outcomes} were seen: {seen}"
        closer = 1 + sum(seen.values()) // LEAST
        seen[play(rng.uniform(-SPREAD, SPREAD) / closer)] += 1
        assert set(seen) <= set(outcomes), seen
    return seen


WAITING = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""


def waits_for_a_lock(future: Future) -> bool:
    """Whether a running call comes to wait for a lock, instead of ending."""
    with connection.cursor() as cursor:
        while not future.done():
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(WAITING)
            if cursor.fetchone()[0]:
                return True
            time.sleep(0.01)
    return False
