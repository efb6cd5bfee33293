"""Takes commands from queues outside, holds them there while they are open, and ends them there.

What it has taken stands in the database, so that another bridge, or this one after a restart, goes
on with it. Several do no harm: rows are picked by one of them, and a command is let in once.
"""

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.db.models import Count

from jobs.corndogs import admission, outbox
from jobs.corndogs.admission import Admission
from jobs.corndogs.client import Client, Delivery
from jobs.corndogs.faces import CorndogsError
from jobs.models import OutsideQueue, Submission, SubmissionState
from problems.database import first_line

POLL = 1.0  # seconds between looks at queues that had nothing
LONGEST_PAUSE = 30.0
CLEAN_UP_EVERY = 60.0
MOST_OPEN = 100
"""Commands of one queue that are in ours or running at once: each has to be held outside."""
MOST_QUEUES = 100
"""Queues in one question; of more, the next ones are asked about the next time."""
MOST_AT_ONCE = 100
LONGEST = 200  # characters in a log of what others named

log = logging.getLogger("coordinator.corndogs")


class Bridge:
    """Turns until it is told to stop; `queues`: only these, else all that commands were sent to."""

    def __init__(self, client: Client, queues: Sequence[str] = ()) -> None:
        self.client = client
        self.queues = list(queues)
        self.stop = threading.Event()
        self.first = 0
        self.clean_up_at = 0.0
        self.pause = POLL

    def run(self) -> None:
        """Turn until `stop` is set. Neither a silent server nor an absent database ends it."""
        while not self.stop.is_set():
            try:
                taken = self.turn()
            except CorndogsError as problem:
                outbox.ear.missed(problem)
                self._rest()
            except (OperationalError, InterfaceError) as problem:
                connections.close_all()
                log.warning("The database does not answer.", extra={"problem": first_line(problem)})
                self._rest()
            else:
                outbox.ear.heard()
                self.pause = POLL
                if not taken:
                    self.stop.wait(POLL)

    def _rest(self) -> None:
        self.stop.wait(self.pause)
        self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def turn(self) -> int:
        """Say what is due, and take what waits; how many commands were let in."""
        outbox.work(self.client, [SubmissionState.TAKEN])  # first: it has a time limit
        outbox.work(self.client, outbox.OF_THE_LOOP)
        self._clean_up()
        return self._take()

    def _clean_up(self) -> None:
        """Let the server put back what other bridges took and did not hold."""
        if time.monotonic() < self.clean_up_at:
            return
        for queue in self._names():
            self.client.clean_up(queue)
        self.clean_up_at = time.monotonic() + CLEAN_UP_EVERY

    def _take(self) -> int:
        taken = 0
        for _ in range(MOST_AT_ONCE):
            queues = self._with_room()
            if not queues or self.stop.is_set():
                break
            delivery = self.client.next(queues, timeout=outbox.LEASE_SECONDS)
            if delivery is None:
                break
            taken += self._let_in(delivery)
        return taken

    def _let_in(self, delivery: Delivery) -> bool:
        """Queue its command here, else end the task outside: it would only come back."""
        became = admission.let_in(delivery)
        if became == Admission.LET_IN:
            return True
        words = {"task": delivery.task.uuid[:LONGEST], "queue": delivery.task.queue[:LONGEST]}
        if became == Admission.STRANGE:
            log.warning("A task outside has no job here; it is cancelled there.", extra=words)
        else:
            log.info("A task outside is not needed any more.", extra=words)
        with suppress(CorndogsError):  # else it comes back and is cancelled then
            self.client.cancel(delivery.task)
        return False

    def _names(self) -> list[str]:
        if self.queues:
            return self.queues
        known = OutsideQueue.objects.values_list("name", flat=True)
        return sorted({settings.DEFAULT_QUEUE_NAME, *known})

    def _with_room(self) -> list[str]:
        """The queues to ask about now, of which not too many commands are open here."""
        taken = Submission.objects.filter(state=SubmissionState.TAKEN).order_by()
        counts = dict(taken.values_list("queue").annotate(number=Count("job")))
        names = [name for name in self._names() if counts.get(name, 0) < MOST_OPEN]
        if len(names) <= MOST_QUEUES:
            return names
        self.first = (self.first + MOST_QUEUES) % len(names)
        return (names + names)[self.first : self.first + MOST_QUEUES]
