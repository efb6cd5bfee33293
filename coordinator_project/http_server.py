"""One process that serves HTTP and takes only its share of the connections.

Connections live long, since agents keep theirs. Without shares, the process that wakes up first
accepts most of them and other cores idle: of four connections to two processes, one process had
three or all in ten of twelve tries. So a process that has more than another waits a moment.
"""

import asyncio
import os
import resource
import socket
from collections.abc import Coroutine, MutableSequence
from functools import partial
from multiprocessing.connection import Connection
from types import FrameType

import uvicorn

from accounts import hashers
from api.throttling import limits
from coordinator_project import endings, hearing, observations, vitals
from coordinator_project.handover import Handover, take
from coordinator_project.http_protocol import Protocol
from coordinator_project.patience import Patience
from coordinator_project.threads import Busy
from coordinator_project.websocket_protocol import WebSocketProtocol
from events import shutdown, tail

BACKLOG = 2048
LEAVE_REQUESTS = 5  # seconds for running requests, once the process is to stop
KEEP_ALIVE = 75  # seconds for which a connection may be idle; agents that poll pause for less
LONGEST_MESSAGE = 4096  # bytes of a page's message on its WebSocket; messages are ignored
PAUSE = 0.001
PAUSES = 10
UNEVEN = 16  # a process may have one in so many more than another
TICKS = 10  # of a tenth of a second, between two looks at all connections
RETRY_AFTER = 1.0  # seconds until the next accept, when no file can be opened
AT_ONCE = 64  # connections that are accepted before those that are open have their turn
OWN_FILES = 128  # of a process: its own, and connections that are refused
FILES_OF_ONE = 2  # of a connection: itself, and a body or an answer that waits in a file
TOO_MANY = "Too many connections are open here; try again in a moment."
NICE = 5  # of the process for bulk
CLOSED = 1 << 30

Shares = MutableSequence[int]
"""The number of connections of each process, in shared memory."""


class Server(uvicorn.Server):
    """uvicorn; it reports to the parent when it serves, and begins the shutdown on a signal."""

    def __init__(
        self,
        config: uvicorn.Config,
        listening: socket.socket,
        shares: Shares,
        place: int,
        ready: Connection,
        handover: Handover | None = None,
    ) -> None:
        super().__init__(config)
        self.handover = handover
        self.listening = listening
        self.shares = shares
        self.place = place
        self.ready = ready
        self.paused = 0
        self.hearing: asyncio.Task[None] | None = None
        self.opening: set[asyncio.Task[object]] = set()
        self.patience = Patience()
        self.room = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - OWN_FILES) // FILES_OF_ONE

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        self.listening.setblocking(False)
        self.shares[self.place] = 0
        self._look()
        self._hear()
        self.ready.send(True)

    async def on_tick(self, counter: int) -> bool:
        self.shares[self.place] = len(self.server_state.connections) + len(self.opening)
        vitals.present.beat(tail.behind())
        if counter % TICKS == 0:
            self.patience.look(self.server_state.connections)
            observations.look()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().remove_reader(self.listening)
        self.listening.close()
        if self.hearing is not None:
            self.hearing.cancel()
        self.shares[self.place] = CLOSED
        await super().shutdown([])
        await asyncio.to_thread(endings.run)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        shutdown.begin()
        super().handle_exit(sig, frame)

    def _hear(self) -> None:
        self.hearing = asyncio.create_task(hearing.listen(), name="hearing")

    def _look(self) -> None:
        if self.listening.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self.listening, self._come)

    def _look_away(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.listening)
        loop.call_later(seconds, self._look)

    def _come(self) -> None:
        """Accept connections, unless this process has more than others and has not yet paused."""
        for _ in range(AT_ONCE):
            own, least = self.shares[self.place], min(self.shares)
            if own > least + least // UNEVEN and self.paused < PAUSES:
                self.paused += 1
                self._look_away(PAUSE)
                return
            self.paused = 0
            try:
                connection, _ = self.listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return  # another process has it, or the client has left
            except OSError:
                self._look_away(RETRY_AFTER)  # too many open files
                return
            connection.setblocking(False)
            self.shares[self.place] += 1
            self._begin(self._open(connection, self.shares[self.place]))

    def _begin(self, opening: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(opening)
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def _open(self, connection: socket.socket, there: int) -> None:
        """Serve the connection, or refuse it if there is no room for so many."""
        loop = asyncio.get_running_loop()
        if there > self.room + OWN_FILES // 2:
            connection.close()
            return
        await loop.connect_accepted_socket(partial(self._protocol, there), connection)

    def _protocol(self, there: int) -> Protocol:
        return Protocol(
            self.config,
            self.server_state,
            self.lifespan.state,
            problem=Busy(TOO_MANY) if there > self.room else None,
            handover=self.handover,
        )


class BulkServer(Server):
    """Answers the requests that others hand over, one on each connection.

    After that the client has to connect again, since its next request may be an agent's.
    """

    def _hear(self) -> None:
        """No agent is heard here."""

    def _come(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, data = take(self.listening)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._look_away(RETRY_AFTER)  # too many open files
                return
            self._begin(self._go_on(connection, data))

    async def _go_on(self, connection: socket.socket, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(partial(self._last, data), connection)

    def _last(self, data: bytes) -> Protocol:
        there = len(self.server_state.connections)
        return Protocol(
            self.config,
            self.server_state,
            self.lifespan.state,
            problem=Busy(TOO_MANY) if there > self.room else None,
            first=data,
        )


def raise_file_limit() -> None:
    """Let this process and its children open as many files as it is allowed to."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(
    ready: Connection,
    listening: socket.socket,
    shares: Shares,
    place: int,
    handover: Handover | None = None,
) -> None:
    """Serve until SIGTERM; the main function of a process that shares `listening`."""
    hashers.give_way()
    limits.join(place)
    Server(configuration(), listening, shares, place, ready, handover).run()


def serve_bulk(ready: Connection, handover: Handover, place: int) -> None:
    """Answer until SIGTERM what the others hand over; the main function of one process."""
    os.nice(NICE)
    limits.join(place)
    BulkServer(configuration(), handover.taking, [0], 0, ready).run()


def configuration() -> uvicorn.Config:
    return uvicorn.Config(
        "coordinator_project.asgi:application",
        loop="uvloop",
        http=Protocol,
        ws=WebSocketProtocol,
        ws_max_size=LONGEST_MESSAGE,
        # One message goes to hundreds of pages, and compressing it for each would cost most.
        ws_per_message_deflate=False,
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=LEAVE_REQUESTS,
    )
