"""One client's connection: what it sends before anybody knows it is bounded."""

import asyncio

import httptools
from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from coordinator_project.handover import Handover, is_bulk
from coordinator_project.refusals import answer_to
from coordinator_project.threads import waits
from coordinator_project.websocket_protocol import MESSAGE, is_handshake
from problems import HeadTooLarge, Invalid, Problem

MOST_HEAD = 64 * 1024  # bytes of the request line and the headers
MOST_HEADERS = 100
MOST_IGNORED = 16 * 1024 * 1024  # bytes of a refused client that does not stop sending
LINGER = 2.0  # seconds for which a refused client may read its answer
FAMILY = "/v1"  # has the form of a refusal where the path is not known
TOO_LONG = f"The request line and the headers are larger than {MOST_HEAD} bytes."
TOO_MANY = f"The request has more than {MOST_HEADERS} headers."


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with limits; what it refuses, it refuses in JSON.

    `head_since`: since when a head has been coming, or the first one waited for. `loose`: the bytes
    that came since a head began, or since the last ones of a body.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        *,
        problem: Problem | None = None,
        handover: Handover | None = None,
        first: bytes = b"",
    ) -> None:
        """With a `problem`, whatever comes is answered with that.

        `first`: what has been read of the connection elsewhere; then only one request is answered.
        """
        super().__init__(config, server_state, app_state)
        self.head_since: float | None = self.loop.time()
        self.url = b""
        self.coming = self.loose = 0
        self.refused = False
        self.problem = problem
        self.handover = handover
        self.first = first
        self.answering: RequestResponseCycle | None = None
        self.answers: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.answers = _Answering(self, transport)
        if self.problem is not None:
            self.refuse(self.problem)
        elif self.first:
            self.data_received(self.first)  # before anything that comes after it

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn tells only the last of several requests that came together.
        cycle = self.answering
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that sends no more still gets the answer to a request that is whole.

        But for a stream or a waiting claim: a client that was killed looks the same, and nobody
        would have the task.
        """
        cycle = self.answering
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        if waits(cycle.scope["path"], cycle.scope["query_string"]):
            return False
        self.cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        self.coming = len(data)
        self.loose += self.coming
        if self.refused:
            if self.loose > MOST_IGNORED:
                self.transport.abort()
            return
        if self.head_since is None and (self.cycle is None or self.cycle.response_complete):
            self.head_since = self.loop.time()
        if self.handover is not None and is_bulk(data) and self._hand_over(self.handover, data):
            return
        super().data_received(data)
        if self.loose > MOST_HEAD and not self.refused:
            self.refuse(HeadTooLarge(TOO_LONG))

    def on_message_begin(self) -> None:
        is_next = self.cycle is None or self.cycle.response_complete
        self.loose = self.coming if is_next else 0
        if self.head_since is None:
            self.head_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if len(self.headers) > MOST_HEADERS:
            self.problem = HeadTooLarge(TOO_MANY)
        elif self.loose + self.coming > MOST_HEAD and self._size_of_head() > MOST_HEAD:
            self.problem = HeadTooLarge(TOO_LONG)
        elif self.parser.should_upgrade() and self._should_upgrade() and not self._may_upgrade():
            self.problem = Invalid(MESSAGE, code="bad_request")
        if self.problem is not None:
            raise httptools.HttpParserError(str(self.problem))
        self.head_since, self.loose = None, 0
        super().on_headers_complete()
        if self.first and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self.loose = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        self.head_since = None  # how long it may be idle is uvicorn's to say
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self.refuse(self.problem or Invalid("This is not a request of HTTP.", code="bad_request"))

    def refuse(self, problem: Problem) -> None:
        """Answer with this problem, read nothing more, and close when the client has read it.

        A request that is whole and is being answered still gets its answer.
        """
        self.refused = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        self._unset_keepalive_if_required()
        path = self.url.partition(b"?")[0].decode("latin-1")
        status, headers, body = answer_to(problem, path if path.startswith("/") else FAMILY)
        headers = [*self.server_state.default_headers, *headers, (b"connection", b"close")]
        lines = [b"%s: %s\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        self.linger()

    def linger(self) -> None:
        """Send nothing more, and close in a moment; what the client still sends is dropped.

        Closed with something unread, the connection would be reset before the answer is read.
        """
        self.refused = True
        self.flow.resume_reading()
        if not self.transport.is_closing():
            self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.abort)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.answering = cycle
        cycle.transport = self.answers
        super()._start_asgi_task(cycle, app)

    def _hand_over(self, handover: Handover, data: bytes) -> bool:
        """Let another process answer, which gets the connection. False if that is not possible."""
        is_idle = self.head_since is not None and self.loose == len(data)
        if not is_idle or self.transport.get_write_buffer_size() or self.transport.is_closing():
            return False
        if not handover.give(self.transport.get_extra_info("socket").fileno(), data):
            return False
        self.refused = True
        self._unset_keepalive_if_required()
        self.transport.abort()
        return True

    def _may_upgrade(self) -> bool:
        """Whether the connection can become a WebSocket.

        One that is handed over is out of our hands: a handshake that fails there may get no answer,
        and an answer that is still due would have no end. To ignore the upgrade, as HTTP allows,
        would not be simpler: the parser stops after such a request.
        """
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        lines = [b"%s: %s\r\n" % header for header in self.headers]
        first = b"%s %s HTTP/1.1\r\n" % (self.parser.get_method(), self.url)
        return is_handshake(b"".join([first, *lines, b"\r\n"]))

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)


class _Answering(asyncio.Transport):
    """The connection as answers have it: it closes slowly where the client may still be sending."""

    def __init__(self, protocol: Protocol, inner: asyncio.Transport) -> None:
        super().__init__()
        self.protocol = protocol
        self.inner = inner

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.inner.write(data)

    def is_closing(self) -> bool:
        return self.inner.is_closing()

    def close(self) -> None:
        cycle = self.protocol.answering
        if cycle is not None and cycle.more_body and cycle.response_complete:
            self.protocol.linger()
        else:
            self.inner.close()
