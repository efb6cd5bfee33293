"""Threads that are let go at once, each with a connection of its own."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier

from django.db import connection


def with_connection(call):
    """What the call returns, in a thread whose connection ends with it."""
    try:
        return call()
    finally:
        connection.close()


def at_once(*calls):
    """What the calls return, made side by side; what one of them raises is raised."""
    start = Barrier(len(calls))

    def run(call):
        start.wait(timeout=30)
        return with_connection(call)

    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(run, call) for call in calls]
        return [future.result(timeout=100) for future in running]


WAITING = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""


def waits_for_a_lock(future: Future) -> bool:
    """Whether what runs comes to wait for a row that somebody holds, instead of ending."""
    with connection.cursor() as cursor:
        while not future.done():
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(WAITING)
            if cursor.fetchone()[0]:
                return True
            time.sleep(0.01)
    return False
