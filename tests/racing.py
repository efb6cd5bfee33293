"""Threads that start at once, each with its own connection."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
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
