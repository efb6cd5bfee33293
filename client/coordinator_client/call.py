"""One request, described: what to send, how to read the answer, and whether it may be repeated."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import quote

from coordinator_client import errors
from coordinator_client.values import JSON, WrongType, decode, encode

T = TypeVar("T")
SECONDS = 30.0
LONGEST_RETRY_AFTER = 60.0


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """A request and its answer. The synchronous and the asynchronous client send the same ones."""

    method: str
    path: str
    read: Callable[[JSON], T]
    query: Mapping[str, str] = field(default_factory=dict)
    body: JSON = None
    encoded: bytes | None = field(default=None, repr=False)  # a body that is JSON already
    file: Path | None = None  # a body that is streamed
    headers: Mapping[str, str] = field(default_factory=dict)
    token: str = field(default="", repr=False)  # instead of the client's own
    repeatable: bool = False
    seconds: float = SECONDS

    def content(self) -> bytes | None:
        if self.encoded is not None or self.body is None:
            return self.encoded
        return encode(self.body)

    def all_headers(self) -> dict[str, str]:
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        kind = {} if self.file else {"Content-Type": "application/json"}
        return {**kind, **own, **self.headers}

    def result(self, status: int, content: bytes, headers: Mapping[str, str]) -> T:
        """What the answer means; raises what it refuses."""
        body = parsed(content)
        if status >= 300:
            raise errors.from_answer(status, body, seconds_of(headers.get("Retry-After")))
        if isinstance(body, list):  # the page of a log, which has its cursor in a header
            body = {"items": body, "next_cursor": headers.get("X-Next-Cursor", "")}
        try:
            return self.read(body)
        except WrongType as error:
            raise errors.BadAnswer(f"{self.method} {self.path}: {error}") from error

    def may_repeat(self, error: Exception) -> bool | float:
        """Whether, and after how many seconds: for stamina."""
        if isinstance(error, errors.TooManyRequests | errors.Unavailable):
            return self.patience(error)
        return self.repeatable and isinstance(error, errors.Unreachable)

    def patience(self, error: errors.Refused) -> bool | float:
        """Nothing was done after a 429; after a 503 an answer to a change may have been lost."""
        if not self.repeatable and not isinstance(error, errors.TooManyRequests):
            return False
        if error.retry_after is None:
            return True
        return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else False


def parsed(content: bytes) -> JSON:
    if not content:
        return {}
    try:
        value: JSON = json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
    return value


def seconds_of(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after or ""))
    except ValueError:
        return None


def path(*segments: str) -> str:
    """Each is one segment, whatever characters it has. A dot alone would be resolved away."""
    return "".join(f"/{quote(segment, safe='').replace('.', '%2E')}" for segment in segments)


def query(**values: str | int | float | bool | None) -> dict[str, str]:
    return {name: in_query(value) for name, value in values.items() if value is not None}


def in_query(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def whole(body: JSON) -> JSON:
    return body


def nothing(body: JSON) -> None:
    return None


def one(kind: type[T], name: str = "") -> Callable[[JSON], T]:
    """Read a `kind`, of the member `name` where there is one."""
    return lambda body: decode(kind, member(body, name) if name else body)


def many(kind: type[T], name: str) -> Callable[[JSON], list[T]]:
    return lambda body: [decode(kind, item) for item in items(body, name)]


def member(body: JSON, name: str) -> JSON:
    if not isinstance(body, dict) or name not in body:
        raise WrongType(f"the answer has no {name}")
    return body[name]


def items(body: JSON, name: str) -> list[JSON]:
    found = member(body, name)
    if not isinstance(found, list):
        raise WrongType(f"{name} is not a list")
    return found
