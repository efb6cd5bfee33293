"""Requests over HTTP, each of them in the log of its sender before the next is sent."""

import http.client
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import orjson

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
Body: TypeAlias = Mapping[str, Json]

TIMEOUT = 4.0  # seconds for an answer, beside what a claim waits
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0


class RunEnded(Exception):
    """The run is over while a request was being repeated."""


class Log:
    """A file with a line for everything that its writer sees, written at once."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("ab", buffering=0)

    def write(self, what: str, **more: object) -> None:
        line = {"at": time.time(), "what": what, **more}
        self.file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        self.file.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request; `tries` counts how often it was sent."""

    status: int
    body: Body
    tries: int = 1

    @property
    def is_good(self) -> bool:
        return self.status < 300

    def rows(self, name: str) -> list[Body]:
        found = self.body.get(name)
        listed = found if isinstance(found, Sequence) and not isinstance(found, str) else []
        return [row for row in listed if isinstance(row, Mapping)]

    def inner(self, name: str) -> Body:
        found = self.body.get(name)
        return found if isinstance(found, Mapping) else {}


@dataclass
class Wire:
    """A client of several coordinators on one database; one that does not answer is left for the
    next. `ports` names them."""

    ports: Sequence[int]
    token: str
    log: Log
    stop: threading.Event
    requests: int = 0
    connection: http.client.HTTPConnection | None = None
    turn: int = field(default=0)

    def post(self, path: str, body: Body, wait: int = 0) -> Answer:
        """Send a request until it has an answer below 500: for what may be repeated."""
        longest, tries = FIRST_PAUSE, 0
        while True:
            tries += 1
            answer = self.once("POST", path, body, wait=wait)
            if answer and answer.status < 500:
                return Answer(answer.status, answer.body, tries)
            if self.stop.wait(random.uniform(0, longest)):  # noqa: S311
                raise RunEnded
            longest = min(2 * longest, LONGEST_PAUSE)

    def once(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        wait: int = 0,
        timeout: float = TIMEOUT,
    ) -> Answer | None:
        """Send a request once; None when no answer came."""
        self.requests += 1
        target = f"{path}?wait_seconds={wait}" if wait else path
        number, port = self.requests, self.ports[self.turn % len(self.ports)]
        self.log.write("sent", n=number, port=port, path=target, body=body)
        try:
            status, content = self._exchange(method, target, body, timeout + wait, port)
            found = orjson.loads(content)
        except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as problem:
            self._leave()
            self.log.write("unanswered", n=number, why=str(problem) or type(problem).__name__)
            return None
        if status >= 500:
            self._leave()
        self.log.write("answered", n=number, status=status, body=found if body else None)
        return Answer(status, found)

    def _exchange(
        self, method: str, target: str, body: Body | None, timeout: float, port: int
    ) -> tuple[int, bytes]:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.connection.timeout = timeout
        if self.connection.sock:
            self.connection.sock.settimeout(timeout)
        content = None if body is None else orjson.dumps(body)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.connection.request(method, target, content, headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def _leave(self) -> None:
        self.turn += 1
        self.close()

    def close(self) -> None:
        """End the connection; the next request makes another."""
        if self.connection:
            self.connection.close()
            self.connection = None
