"""Local HTTP servers that answer as OpenAI-compatible providers do, well or badly."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a provider got."""

    path: str
    headers: Mapping[str, str]
    body: Any


class Exchange(BaseHTTPRequestHandler):
    """One request, and the means to answer it."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        asked = Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(raw))
        with self.server.owner.lock:
            self.server.owner.asked.append(asked)
        self.server.owner.act(self, asked)

    def say(self, status: int, body: bytes, **headers: str) -> None:
        """Answer completely; of headers an underscore is a hyphen."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def say_json(self, status: int, body: object, **headers: str) -> None:
        self.say(status, json.dumps(body).encode(), Content_Type="application/json", **headers)

    def complete(
        self, text: str = "yes", *, usage: object = None, tokens: tuple[int, int] = (10, 5)
    ) -> None:
        """Answer as a model; `usage` None: of so many tokens in and out."""
        counted = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
        message = {"role": "assistant", "content": text}
        body = {"choices": [{"message": message}], "usage": counted if usage is None else usage}
        self.say_json(200, body)

    def wait(self, seconds: float) -> None:
        """Let time pass, unless the server ends."""
        self.server.owner.ended.wait(seconds)

    def cut(self) -> None:
        """End the connection without an answer."""
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


Act = Callable[[Exchange, Asked], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: "LocalProvider"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that have gone are nothing to speak of."""


@dataclass
class LocalProvider:
    """A provider on this machine; `act` answers each request, and may be changed at any time."""

    act: Act = lambda exchange, asked: exchange.complete()
    asked: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.server = _Server(("127.0.0.1", 0), Exchange)
        self.server.owner = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True)
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    @property
    def count(self) -> int:
        with self.lock:
            return len(self.asked)
