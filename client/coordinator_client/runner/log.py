"""The log of a command: lines are batched, numbered, and sent until they are acknowledged."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from coordinator_client.backoff import Backoff
from coordinator_client.clients import Coordinator
from coordinator_client.errors import (
    BadRequest,
    CoordinatorError,
    TooLarge,
    TooManyRequests,
    Unavailable,
    Unreachable,
)
from coordinator_client.operations.executions import send_log
from coordinator_client.runner.spool import Spool
from coordinator_client.values import Object, encode

logger = logging.getLogger(__name__)
BATCH_BYTES = 384 * 1024  # an entry may add half as much, and a body may have 1 MiB
BATCH_ENTRIES = 5000
FLUSH_SECONDS = 1.0
WAITING_BATCHES = 4
AWAY_SECONDS = 5.0
LONGEST_PAUSE = 5.0
SECONDS = 10.0
DROPPED = "{count} lines were dropped here: the coordinator was away for too long"


class LogStream:
    """One stream of one lease. `write` waits while the coordinator is slower than the command.

    When it does not answer at all, batches go to a spool on disk; when that is full they are
    dropped, and a line says how many. So memory is bounded, and nothing is lost while it answers.
    """

    def __init__(
        self, client: Coordinator, lease: Object, token: str, name: str, spool: Path
    ) -> None:
        self.client = client
        self.lease = lease
        self.token = token
        self.name = name
        self.spool = Spool(spool)
        self.acknowledged = 0
        self.dropped = 0
        self.ended = False  # no more is written
        self.broken = False  # no more is accepted: the lease is over
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._opened_at = 0.0
        self._waiting: deque[list[bytes]] = deque()
        self._away = False
        self._refused = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self.run, name=f"log-{name}", daemon=True)
        self._thread.start()

    def write(self, lines: Sequence[str]) -> None:
        """Add lines with the present time; waits for room while the coordinator answers."""
        at = now()
        for line in lines:
            entry = encode({"at": at, "message": line})
            with self._changed:
                self.append(entry)

    def append(self, entry: bytes) -> None:
        if not self._open:
            self._opened_at = time.monotonic()
            self._changed.notify_all()
        self._open.append(entry)
        self._open_bytes += len(entry)
        if self._open_bytes >= BATCH_BYTES or len(self._open) >= BATCH_ENTRIES:
            self.put(self.take_open())

    def take_open(self) -> list[bytes]:
        batch, self._open, self._open_bytes = self._open, [], 0
        return batch

    def put(self, batch: list[bytes]) -> None:
        while not self.broken:
            if len(self._waiting) < WAITING_BATCHES and not self.spool and not self.dropped:
                self._waiting.append(batch)
                self._changed.notify_all()
                return
            if self._away:
                if self.dropped or not self.spool.put(batch):
                    self.dropped += len(batch)
                return
            self._changed.wait()

    def finish(self, give_up: Callable[[], bool]) -> None:
        """Send what is left. Returns when all is acknowledged, the lease is over, or `give_up`."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()
        while self._thread.is_alive():
            self._thread.join(0.2)
            if give_up():
                self.abandon()
        self.abandon()  # who still writes must not wait for room that nobody makes
        self.spool.close()

    def abandon(self) -> None:
        with self._changed:
            self.broken = True
            self._changed.notify_all()

    def run(self) -> None:
        while batch := self.next_batch():
            if not self.send(batch):
                return self.abandon()
        return None

    def next_batch(self) -> list[bytes]:
        """The oldest that waits; empty at the end."""
        with self._changed:
            while not self.broken:
                if batch := self.oldest():
                    self._changed.notify_all()
                    return batch
                if self.ended:
                    return []
                self._changed.wait(self.until_flush())
        return []

    def oldest(self) -> list[bytes]:
        if self._waiting:
            return self._waiting.popleft()
        if self.spool:
            return self.spool.get()
        if self.dropped:
            return [self.marker()]
        if self._open and (self.ended or self.until_flush() == 0):
            return self.take_open()
        return []

    def marker(self) -> bytes:
        message, self.dropped = DROPPED.format(count=self.dropped), 0
        return encode({"at": now(), "message": message})

    def until_flush(self) -> float | None:
        if not self._open:
            return None
        return max(0.0, self._opened_at + FLUSH_SECONDS - time.monotonic())

    def send(self, batch: list[bytes]) -> bool:
        """Send until acknowledged; the same bytes each time. False when the lease is over."""
        body, backoff, began = self.body(batch), Backoff(LONGEST_PAUSE), time.monotonic()
        while not self.broken:
            try:
                call = send_log(self.lease_task(), body, token=self.token, seconds=SECONDS)
                self.client.send_once(call)
            except (Unreachable, Unavailable, TooManyRequests) as error:
                self.is_away(time.monotonic() - began > AWAY_SECONDS)
                self.pause(backoff.next(error))
            except (BadRequest, TooLarge) as error:
                logger.error("A batch of the log was refused: %s", error)
                return self.drop(len(batch))
            except CoordinatorError as error:
                logger.warning("The log ends here: %s", error)
                return False
            else:
                self.acknowledged += 1
                self._refused = False
                self.is_away(False)
                return True
        return False

    def drop(self, count: int) -> bool:
        """Say later that these are missing, unless that is what was refused."""
        with self._changed:
            self.dropped += count
            again, self._refused = self._refused, True
        return not again

    def lease_task(self) -> str:
        return str(self.lease["task_id"])

    def body(self, batch: list[bytes]) -> bytes:
        head: Object = {name: self.lease[name] for name in ("agent_id", "lease_epoch")}
        head |= {"stream": self.name, "sequence": self.acknowledged + 1}
        return encode(head)[:-1] + b',"entries":[' + b",".join(batch) + b"]}"

    def is_away(self, away: bool) -> None:
        with self._changed:
            self._away = away
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with self._changed:
            while not self.broken and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)


def now() -> str:
    """As the coordinator spells times; it need not read these, only sort them."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
