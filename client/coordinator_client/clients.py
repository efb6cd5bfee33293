"""`Coordinator` and `AsyncCoordinator`: they send what `operations` describes, and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, ParamSpec, Protocol, Self, TypeVar

import httpx2
import stamina

from coordinator_client import config, downloads
from coordinator_client.backoff import Backoff
from coordinator_client.call import Call, parsed, query, seconds_of
from coordinator_client.call import path as segments
from coordinator_client.errors import (
    Refused,
    TooManyRequests,
    Unavailable,
    Unreachable,
    from_answer,
)
from coordinator_client.events import LogFollower
from coordinator_client.methods import Operations
from coordinator_client.models import LogEntry
from coordinator_client.operations.jobs import JOBS

P = ParamSpec("P")
T = TypeVar("T")
CHUNK = 256 * 1024
SILENCE = 60.0  # streams send a comment every fifteen seconds


class Attempts(Protocol):
    """Those of stamina, for either kind of loop."""

    def __iter__(self) -> Iterator[stamina.Attempt]: ...

    def __aiter__(self) -> AsyncIterator[stamina.Attempt]: ...


class Client(Operations):
    """What both clients are: where the coordinator is, how long they try, and what they send."""

    http: httpx2.Client | httpx2.AsyncClient

    def __init__(self, url: str | None, token: str | None, patience: float) -> None:
        self.config = config.load(url, token)
        self.patience = patience

    def attempts(self, call: Call[T]) -> Attempts:
        return stamina.retry_context(
            on=call.may_repeat, attempts=None if self.patience else 1, timeout=self.patience or None
        )

    def request(
        self, call: Call[T], content: bytes | Iterator[bytes] | AsyncIterator[bytes] | None
    ) -> httpx2.Request:
        return self.http.build_request(
            call.method,
            call.path,
            params=call.query,
            headers=call.all_headers(),
            content=content,
            timeout=call.seconds,
        )

    def unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"no answer from {self.config.url}: {error or type(error).__name__}")


class Coordinator(Client):
    """A client for programs with threads or without; one may be shared by threads.

    What may be repeated is repeated after a lost answer, a 429 or a 503, with jitter, for up to
    `patience` seconds, and not before the coordinator's `Retry-After`.
    """

    http: httpx2.Client

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        patience: float = 45,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        super().__init__(url, token, patience)
        self.http = httpx2.Client(
            base_url=self.config.url, headers=headers(self.config), transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.http.close()

    def sends(self, describe: Callable[P, Call[T]]) -> Callable[P, T]:
        return lambda *args, **kwargs: self.send(describe(*args, **kwargs))

    def send(self, call: Call[T]) -> T:
        """Send the request, again where that is safe, and give what its answer means."""
        for attempt in self.attempts(call):
            with attempt:
                return self.send_once(call)
        raise AssertionError("stamina gives up by raising")

    def send_once(self, call: Call[T]) -> T:
        try:
            if call.file is None:
                answer = self.http.send(self.request(call, call.content()))
            else:
                with call.file.open("rb") as file:
                    answer = self.http.send(self.request(call, chunks(file)))
        except httpx2.RequestError as error:
            raise self.unreachable(error) from error
        return call.result(answer.status_code, answer.content, answer.headers)

    def follow_job_logs(self, job_id: str, *, stream: str = "combined") -> Iterator[LogEntry]:
        """The lines of a job's log as they come, until it has ended."""
        follower, backoff = LogFollower(), Backoff()
        while not follower.ended:
            try:
                for entry in self.log_stream(job_id, stream, follower):
                    backoff.reset()
                    yield entry
            except (Unreachable, Unavailable, TooManyRequests) as error:
                if backoff.waited > self.patience:
                    raise
                time.sleep(backoff.next(error))

    def log_stream(self, job_id: str, stream: str, follower: LogFollower) -> Iterator[LogEntry]:
        where, asked = segments(*JOBS, job_id, "logs"), query(stream=stream, follow=1)
        try:
            with self.http.stream(
                "GET", where, params=asked, headers=follower.headers(), timeout=SILENCE
            ) as answer:
                if answer.status_code != 200:
                    raise refused(answer, answer.read())
                for chunk in answer.iter_text():
                    yield from follower.feed(chunk)
        except httpx2.RequestError as error:
            raise self.unreachable(error) from error
        if not follower.ended:
            raise self.unreachable(EOFError("the stream ended too early"))

    def download_job_artifact(self, job_id: str, name: str, target: Path) -> Path:
        """Write an artifact to the file `target`, whole or not at all."""
        where = segments(*JOBS, job_id, "artifacts", *name.split("/"))
        try:
            with self.http.stream("GET", where, timeout=SILENCE) as answer:
                if answer.status_code != 200:
                    raise refused(answer, answer.read())
                with downloads.whole_file(target) as file:
                    for chunk in answer.iter_bytes(CHUNK):
                        file.write(chunk)
        except httpx2.RequestError as error:
            raise self.unreachable(error) from error
        return target


class AsyncCoordinator(Client):
    """The same for asyncio: its methods are awaited."""

    http: httpx2.AsyncClient

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        patience: float = 45,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(url, token, patience)
        self.http = httpx2.AsyncClient(
            base_url=self.config.url, headers=headers(self.config), transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self.http.aclose()

    def sends(self, describe: Callable[P, Call[T]]) -> Callable[P, Awaitable[T]]:
        return lambda *args, **kwargs: self.send(describe(*args, **kwargs))

    async def send(self, call: Call[T]) -> T:
        """Send the request, again where that is safe, and give what its answer means."""
        async for attempt in stamina.retry_context(
            on=call.may_repeat, attempts=None if self.patience else 1, timeout=self.patience or None
        ):
            with attempt:
                return await self.send_once(call)
        raise AssertionError("stamina gives up by raising")

    async def send_once(self, call: Call[T]) -> T:
        try:
            if call.file is None:
                answer = await self.http.send(self.request(call, call.content()))
            else:
                with call.file.open("rb") as file:
                    answer = await self.http.send(self.request(call, achunks(chunks(file))))
        except httpx2.RequestError as error:
            raise self.unreachable(error) from error
        return call.result(answer.status_code, answer.content, answer.headers)

    async def follow_job_logs(
        self, job_id: str, *, stream: str = "combined"
    ) -> AsyncIterator[LogEntry]:
        """The lines of a job's log as they come, until it has ended."""
        follower, backoff = LogFollower(), Backoff()
        while not follower.ended:
            try:
                async for entry in self.log_stream(job_id, stream, follower):
                    backoff.reset()
                    yield entry
            except (Unreachable, Unavailable, TooManyRequests) as error:
                if backoff.waited > self.patience:
                    raise
                await asyncio.sleep(backoff.next(error))

    async def log_stream(
        self, job_id: str, stream: str, follower: LogFollower
    ) -> AsyncIterator[LogEntry]:
        where, asked = segments(*JOBS, job_id, "logs"), query(stream=stream, follow=1)
        try:
            async with self.http.stream(
                "GET", where, params=asked, headers=follower.headers(), timeout=SILENCE
            ) as answer:
                if answer.status_code != 200:
                    raise refused(answer, await answer.aread())
                async for chunk in answer.aiter_text():
                    for entry in follower.feed(chunk):
                        yield entry
        except httpx2.RequestError as error:
            raise self.unreachable(error) from error
        if not follower.ended:
            raise self.unreachable(EOFError("the stream ended too early"))

    async def download_job_artifact(self, job_id: str, name: str, target: Path) -> Path:
        """Write an artifact to the file `target`, whole or not at all."""
        where = segments(*JOBS, job_id, "artifacts", *name.split("/"))
        try:
            async with self.http.stream("GET", where, timeout=SILENCE) as answer:
                if answer.status_code != 200:
                    raise refused(answer, await answer.aread())
                with downloads.whole_file(target) as file:
                    async for chunk in answer.aiter_bytes(CHUNK):
                        file.write(chunk)
        except httpx2.RequestError as error:
            raise self.unreachable(error) from error
        return target


def headers(found: config.Config) -> dict[str, str]:
    own = {"Accept": "application/json", "User-Agent": "coordinator-client"}
    return own | ({"Authorization": f"Bearer {found.token}"} if found.token else {})


def refused(answer: httpx2.Response, content: bytes) -> Refused:
    after = seconds_of(answer.headers.get("Retry-After"))
    return from_answer(answer.status_code, parsed(content), after)


def chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


async def achunks(found: Iterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in found:
        yield chunk
