"""A thread that reads what a process writes and hands it to the log, line by line."""

import os
import select
import threading
import time

from coordinator_client.runner.lines import LineReader
from coordinator_client.runner.log import LogStream
from coordinator_client.runner.masking import Masker

CHUNK = 64 * 1024
UNFINISHED_SECONDS = 5.0  # a line without an end, for example a question, is shown after that
TAIL = 20


class Pump:
    """Reads until the other side is closed. It stops reading while the log takes no more."""

    def __init__(self, descriptor: int, log: LogStream | None, masker: Masker) -> None:
        self.descriptor = descriptor
        self.log = log
        self.reader = LineReader(masker)
        self.tail: list[str] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, name="pump", daemon=True)
        self.thread.start()

    def run(self) -> None:
        try:
            self.read()
        finally:
            os.close(self.descriptor)

    def read(self) -> None:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        heard = time.monotonic()
        while not self.stopped.is_set():
            if poll.poll(500):
                data = os.read(self.descriptor, CHUNK)
                if not data:
                    break
                self.write(self.reader.feed(data))
                heard = time.monotonic()
            elif self.reader.rest and time.monotonic() - heard > UNFINISHED_SECONDS:
                self.write(self.reader.unfinished())
        self.write(self.reader.end())

    def write(self, lines: list[str]) -> None:
        if lines:
            self.tail = [*self.tail, *lines[-TAIL:]][-TAIL:]
            if self.log:
                self.log.write(lines)

    def join(self, seconds: float) -> None:
        """Wait for the end; after so long, stop: somebody else holds the other side open."""
        self.thread.join(seconds)
        self.stopped.set()
