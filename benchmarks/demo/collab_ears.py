"""Who listens to `script/demo collab`: a socket that breaks off once, and a stream of events."""

import http.client
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import urlencode, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.demo.wire import Body, inner, text

BUS = "system:events"
SOCKET = "/realtime/v1/websocket"
STREAM = "/api/collab/events/stream"
BREAK_AFTER = 60  # messages
READ_WITHIN = 1.0


@dataclass
class Heard:
    """What has been told, in the order in which it came."""

    envelopes: list[Body] = field(default_factory=list)
    twice: int = 0
    breaks: int = 0
    present: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    metrics: Counter[str] = field(default_factory=Counter)
    rows: list[Body] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def types_of(self, job_id: str) -> list[str]:
        """The types of jobs' envelopes about this one, in order."""
        mine = (one for one in self.envelopes if text(inner(one, "payload"), "job_id") == job_id)
        return [text(one, "type") for one in mine if text(one, "type").startswith("job.")]


class Ears:
    """Both listeners, each in a thread of its own."""

    def __init__(self, url: str, workers: Sequence[str]) -> None:
        self.url = url
        self.heard = Heard()
        self.channels = [BUS, *(f"agents:{name}" for name in workers)]
        self.stopping = threading.Event()
        self.ready = threading.Semaphore(0)
        listeners: list[Callable[[], None]] = [self._socket, self._stream]
        self.threads = [threading.Thread(target=one, daemon=True) for one in listeners]

    def start(self) -> None:
        """Return once both hear everything."""
        for thread in self.threads:
            thread.start()
        for _ in self.threads:
            self.ready.acquire(timeout=30)

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(20)

    def _socket(self) -> None:
        """Listen, break off once, and go on with the last cursor of each channel."""
        cursors: dict[str, str] = dict.fromkeys(self.channels, "")
        known: set[str] = set()
        while not self.stopping.is_set():
            address = self.url.replace("http", "ws") + SOCKET
            with connect(address, compression=None) as socket:
                for channel, cursor in cursors.items():
                    after = {"after": cursor} if cursor else {}
                    socket.send(json.dumps({"type": "subscribe", "channel": channel, **after}))
                count = 0
                while not self.stopping.is_set():
                    try:
                        message = json.loads(socket.recv(READ_WITHIN))
                    except TimeoutError:
                        continue
                    except ConnectionClosed as closed:
                        self.heard.errors.append(f"The socket was closed: {closed}")
                        return
                    self._take(message, cursors, known)
                    count += message["type"] == "event"
                    if count == BREAK_AFTER and not self.heard.breaks:
                        self.heard.breaks += 1
                        break

    def _take(self, message: Body, cursors: dict[str, str], known: set[str]) -> None:
        kind, channel = text(message, "type"), text(message, "channel")
        if kind == "error" or message.get("complete") is False:
            self.heard.errors.append(json.dumps(message))
        if channel in cursors and text(message, "cursor"):
            cursors[channel] = text(message, "cursor")
        if kind == "subscribed" and channel == self.channels[-1] and not known:
            self.ready.release()
        elif kind == "presence":
            self.heard.present[channel].append(time.monotonic())
        elif kind == "event":
            envelope = inner(message, "event")
            number = text(envelope, "id")
            self.heard.metrics[channel] += text(envelope, "type") == "worker.metrics"
            if number in known:
                self.heard.twice += 1
            elif channel == BUS:
                known.add(number)
                self.heard.envelopes.append(envelope)

    def _stream(self) -> None:
        """Read the events of all jobs; where the stream ends, go on with its last id."""
        last = ""
        parts = urlsplit(self.url)
        while not self.stopping.is_set():
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
            query = f"?{urlencode({'after': last})}" if last else ""
            connection.request("GET", STREAM + query)
            response = connection.getresponse()
            fields: dict[str, str] = {}
            try:
                while not self.stopping.is_set() and (line := response.readline()):
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    if name == "id":
                        self.ready.release() if not last else None
                        last = value
                    if name:
                        fields[name] = value
                        continue
                    if "data" in fields:
                        self.heard.rows.append(json.loads(fields["data"]))
                    fields = {}
            except OSError as problem:
                self.heard.errors.append(f"The stream broke: {problem}")
            finally:
                connection.close()


def gaps(times: Sequence[float]) -> float:
    """The longest time between two of these moments."""
    return max((after - before for before, after in pairwise(times)), default=0.0)


def recounted(rows: Sequence[Body]) -> Mapping[str, list[int]]:
    """The ids of events by their job, in the order in which they came."""
    by_job: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        number = row.get("id")
        if isinstance(number, int):
            by_job[text(row, "job_id")].append(number)
    return by_job
