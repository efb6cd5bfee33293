"""A client of the coordinator: JSON over one kept connection; failed requests are sent again."""

import http.client
import random
import time
from collections.abc import Iterator
from typing import TypeAlias
from urllib.parse import urlencode, urlsplit

import orjson

Json: TypeAlias = "str | int | float | bool | list[Json] | Body | None"
Body: TypeAlias = dict[str, Json]

TIMEOUT = 15.0  # seconds for a response; longer than any claim waits
PATIENCE = 60.0  # seconds in which a coordinator that went away may come back
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0


class CoordinatorUnreachable(Exception):
    """The coordinator has not responded for a long time."""


class RequestRefused(Exception):
    """The coordinator has refused a request."""

    def __init__(self, request: str, status: int, response: str) -> None:
        super().__init__(f"{request}: {status} {response.strip()}")
        self.status = status


class Wire:
    """One connection to the coordinator at `url`.

    A request that gets no response, or one of 500 and above, is sent again after a pause that grows
    and is partly random, so that a fleet does not come back all at once. So every request may be
    carried out twice: each caller explains why that is right for it.
    `interruptions` counts how often a request had to be sent again.
    """

    def __init__(self, url: str, token: str = "", patience: float = PATIENCE) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self.connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT)
        self.base = parts.path.rstrip("/")
        self.headers = {"Content-Type": "application/json"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        self.patience = patience
        self.interruptions = 0

    def get(self, path: str, **query: str | int) -> Body:
        return self._ask("GET", path, query, None)

    def post(self, path: str, body: Json, **query: str | int) -> Body:
        return self._ask("POST", path, query, body)

    def pages(self, path: str, key: str, **query: str | int) -> Iterator[Body]:
        """The rows of a list, page after page."""
        response = self.get(path, **query)
        yield from rows(response, key)
        while cursor := response.get("next_cursor"):
            response = self.get(path, **query, cursor=str(cursor))
            yield from rows(response, key)

    def _ask(self, method: str, path: str, query: dict[str, str | int], body: Json) -> Body:
        target = self.base + path + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else orjson.dumps(body)
        deadline = time.monotonic() + self.patience
        longest = FIRST_PAUSE
        while True:
            try:
                status, response = self._try(method, target, content)
                trouble = f"{status} {response.decode(errors='replace')}"
            except (OSError, http.client.HTTPException) as problem:
                self.connection.close()
                status, response = 503, b""
                trouble = str(problem) or type(problem).__name__
            if status < 500:
                break
            if time.monotonic() > deadline:
                raise CoordinatorUnreachable(f"{method} {path}: {trouble}")
            self.interruptions += 1
            time.sleep(random.uniform(0, longest))  # noqa: S311
            longest = min(2 * longest, LONGEST_PAUSE)
        if status >= 400:
            raise RequestRefused(f"{method} {path}", status, response.decode(errors="replace"))
        data: Body = orjson.loads(response)
        return data

    def _try(self, method: str, target: str, content: bytes | None) -> tuple[int, bytes]:
        self.connection.request(method, target, content, self.headers)
        response = self.connection.getresponse()
        return response.status, response.read()


def rows(body: Body, key: str) -> list[Body]:
    """The objects that `body` lists under `key`."""
    found = body.get(key)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def inner(body: Body, key: str) -> Body:
    """The object that stands in `body` under `key`; empty when there is none."""
    found = body.get(key)
    return found if isinstance(found, dict) else {}


def number(body: Body, key: str) -> int:
    found = body.get(key)
    return found if isinstance(found, int) else 0


def text(body: Body, key: str) -> str:
    found = body.get(key)
    return found if isinstance(found, str) else ""
