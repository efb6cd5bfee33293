"""What happened to tasks within some time: whole hours by the tallies, the rest by the journal."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import OperationalError, connection, transaction

from tasks.tallies import EVER, KIND, NEW, TIMED, Tally, Timing, events
from tasks.tally_models import TaskTiming

HOUR = timedelta(hours=1)
PATIENCE = "2s"
"""For so long the journal is read for the parts of hours at the ends of a window."""

# The parts of hours at both ends, and what of the whole hours is not folded yet.
PARTS = (
    "e.created_at >= %(start)s AND e.created_at < %(first)s",
    "e.created_at >= %(last)s AND e.created_at < %(end)s",
    f"{NEW} AND e.created_at >= %(first)s AND e.created_at < %(last)s",
)
WITHIN = f"""
WITH {events(*PARTS)}
SELECT {KIND}, sum(count)::bigint FROM (
  SELECT {KIND}, count FROM tasks_tasktally
  WHERE hour >= %(first)s AND hour < %(last)s AND hour > '{EVER}'
  UNION ALL SELECT {KIND}, 1 FROM typed) every
GROUP BY {KIND}"""  # noqa: S608


class Window(NamedTuple):
    """From `start` to before `end`."""

    start: datetime
    end: datetime

    def widened(self) -> "Window":
        """The whole hours that it touches."""
        return Window(_hour_of(self.start), _hour_of(self.end + HOUR - timedelta(microseconds=1)))


def counted(window: Window) -> tuple[Window, Sequence[Tally]]:
    """What happened in the window; in the whole hours that it touches where it is too large.

    Returns the window that was counted.
    """
    try:
        return window, _counted(window)
    except OperationalError:  # the server ended what took too long
        wide = window.widened()
        return wide, _counted(wide)


@transaction.atomic
def _counted(window: Window) -> Sequence[Tally]:
    first = _hour_of(window.start + HOUR - timedelta(microseconds=1))
    last = max(first, _hour_of(window.end))
    if first > window.end:  # within one hour
        first = last = window.end
    bounds = {"start": window.start, "first": first, "last": last, "end": window.end}
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{PATIENCE}'")
        cursor.execute(WITHIN, bounds)
        return [Tally(*row) for row in cursor.fetchall()]


def timed(window: Window) -> Sequence[Timing]:
    """The waits and runs that ended in the hours that the window touches, as far as folded."""
    start, end = window.widened()
    rows = TaskTiming.objects.filter(hour__gte=start, hour__lt=end, hour__gt=EVER)
    return [Timing(*row) for row in rows.values_list(*TIMED)]


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
