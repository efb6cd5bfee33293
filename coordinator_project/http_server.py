"""One process that serves HTTP and takes only its share of the connections.

Connections live long, since agents keep theirs. Without shares, the process that wakes up first
accepts most of them and other cores idle: of four connections to two processes, one process had
three or all in ten of twelve tries. So a process that has more than another waits a moment.
"""

import asyncio
import socket
from collections.abc import MutableSequence
from multiprocessing.connection import Connection
from types import FrameType

import uvicorn

from coordinator_project import vitals
from events import shutdown, tail

BACKLOG = 2048
LEAVE_REQUESTS = 5  # seconds for running requests, once the process is to stop
LONGEST_MESSAGE = 4096  # bytes of a page's message on its WebSocket; messages are ignored
PAUSE = 0.001
PAUSES = 10
RETRY_AFTER = 1.0  # seconds until the next accept, when no file can be opened
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
    ) -> None:
        super().__init__(config)
        self.listening = listening
        self.shares = shares
        self.place = place
        self.ready = ready
        self.paused = 0
        self.opening: set[asyncio.Task[object]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        self.listening.setblocking(False)
        self.shares[self.place] = 0
        self._look()
        self.ready.send(True)

    async def on_tick(self, counter: int) -> bool:
        self.shares[self.place] = len(self.server_state.connections)
        vitals.present.beat(tail.behind())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().remove_reader(self.listening)
        self.listening.close()
        self.shares[self.place] = CLOSED
        await super().shutdown([])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        shutdown.begin()
        super().handle_exit(sig, frame)

    def _look(self) -> None:
        if self.listening.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self.listening, self._come)

    def _look_away(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.listening)
        loop.call_later(seconds, self._look)

    def _come(self) -> None:
        """Accept a connection, unless this process has more than others and has not yet paused."""
        if self.paused < PAUSES and self.shares[self.place] > min(self.shares):
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
        opening = asyncio.create_task(self._open(connection))
        self.opening.add(opening)
        opening.add_done_callback(self.opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        return protocol


def serve(ready: Connection, listening: socket.socket, shares: Shares, place: int) -> None:
    """Serve until SIGTERM; the main function of a process that shares `listening`."""
    config = uvicorn.Config(
        "coordinator_project.asgi:application",
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=LONGEST_MESSAGE,
        # One message goes to hundreds of pages, and compressing it for each would cost most.
        ws_per_message_deflate=False,
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=LEAVE_REQUESTS,
    )
    Server(config, listening, shares, place, ready).run()
