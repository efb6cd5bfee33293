"""Corndogs by JSON over HTTP, as seed 001 has it (contract 001, 4.2)."""

import http.client
import io
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import orjson

from jobs.corndogs import faces
from jobs.corndogs.addresses import Address
from jobs.corndogs.faces import (
    Deadline,
    Message,
    Refused,
    Uncertain,
    UnknownCall,
    Unreachable,
    refusal,
    spelled,
)

Way = tuple[str, str, Message]
"""Method, path and body of a call."""
COMPLETED = "completed"


class HttpFace:
    """Each call has a connection of its own, so none is found to be dead after it was sent."""

    def __init__(self, address: Address, key: str) -> None:
        self.address = address
        self.key = key

    def close(self) -> None:
        pass

    def call(self, name: str, request: Message) -> Message:
        if name == "CleanUpTimedOut":
            return {"timed_out": 0}  # no such path: what has timed out is the server's own affair
        if name not in WAYS:
            raise UnknownCall(f"{self.address} has no {name}.")
        method, path, body = WAYS[name](request)
        status, content = self._exchanged(method, path, body)
        gone = status == http.HTTPStatus.NOT_FOUND and "uuid" in request
        if gone or status == http.HTTPStatus.NO_CONTENT:
            return {}
        if not 200 <= status < 300:
            raise self._refused(name, status, content)
        return self._read(content)

    def _exchanged(self, method: str, path: str, body: Message) -> tuple[int, bytes]:
        connection = self._connected()
        deadline = Deadline(faces.ANSWER_SECONDS)
        real = connection.sock
        try:
            real.settimeout(deadline.left())
            sent = orjson.dumps(body) if method != "GET" else None
            connection.request(method, f"{self.address.path}{path}", sent, self._headers())
            connection.sock = _Bounded(real, deadline)
            response = connection.getresponse()
            content = response.read(faces.LARGEST + 1)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise Uncertain(f"{self.address}: {spelled(problem)}") from None
        finally:
            real.close()
        if len(content) > faces.LARGEST:
            raise Uncertain(f"{self.address}: its answer is too long")
        return response.status, content

    def _connected(self) -> http.client.HTTPConnection:
        secure = self.address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self.address.host, self.address.port, timeout=faces.CONNECT_SECONDS)
        try:
            connection.connect()
        except (OSError, ValueError) as problem:  # a name may be none
            connection.close()
            raise Unreachable(f"{self.address}: {spelled(problem)}") from None
        return connection

    def _headers(self) -> dict[str, str]:
        told = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Connection": "close",
        }
        return told | ({"Authorization": f"Bearer {self.key}"} if self.key else {})

    def _refused(self, name: str, status: int, content: bytes) -> Refused:
        text = faces.without(self.key, content.decode(errors="replace").strip())
        return refusal(f"{self.address} refuses {name}: HTTP {status} {text}".rstrip())

    def _read(self, content: bytes) -> Message:
        try:
            found: Any = orjson.loads(content or b"{}")
        except ValueError:
            raise Uncertain(f"{self.address}: what it sends is no JSON") from None
        if not isinstance(found, dict):
            if found is None:
                return {}
            raise Uncertain(f"{self.address}: what it sends is no object")
        return {"task": found} if "uuid" in found else found


class _Bounded(io.RawIOBase):
    """A socket, as far as a response wants one, that is read until the deadline at most."""

    def __init__(self, real: socket.socket, deadline: Deadline) -> None:
        self.real = real
        self.deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.real.settimeout(self.deadline.left())
        return self.real.recv_into(buffer)

    def close(self) -> None:
        """The connection gives it up before its answer is read; it is closed by the call."""


def _submit(request: Message) -> Way:
    queue = {"queue_name": request["queue"]}  # its other name there
    return "POST", "/api/v1/tasks", request | queue | {"payload": orjson.loads(request["payload"])}


def _next(request: Message) -> Way:
    return "POST", f"/api/v1/queues/{quote(request['queue'], safe='')}/next", request


def _of_task(request: Message) -> str:
    return f"/api/v1/tasks/{quote(request['uuid'], safe='')}"


def _update(request: Message) -> Way:
    # `current_state` is what the state becomes.
    return "PUT", _of_task(request), request | {"current_state": request["new_state"]}


def _complete(request: Message) -> Way:
    ended = {"current_state": COMPLETED, "new_state": COMPLETED}
    return "PUT", _of_task(request), request | ended


def _cancel(request: Message) -> Way:
    return "POST", f"{_of_task(request)}/cancel", request


def _look(request: Message) -> Way:
    return "GET", _of_task(request), {}


WAYS: dict[str, Callable[[Message], Way]] = {
    "SubmitTask": _submit,
    "GetNextTask": _next,
    "UpdateTask": _update,
    "CompleteTask": _complete,
    "CancelTask": _cancel,
    "GetTaskStateByID": _look,
}
