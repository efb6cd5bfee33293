"""A small Corndogs server for tests, written from contract 001, 4.1 and 4.2; both protocols."""

import json
import socket
import socketserver
import struct
import threading
import time
import uuid
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import cbor2

LONGEST_PAYLOAD = 16 * 1024 * 1024


class Store:
    """The tasks, and all that was asked: names of calls with their requests."""

    def __init__(self):
        self.tasks = {}
        self.payloads = {}
        self.archived = {}
        self.calls = []
        self.raw = []
        self.lock = threading.Lock()
        self.ahead = 0  # nanoseconds by which its clock has moved

    def now(self):
        return time.time_ns() + self.ahead

    def pass_seconds(self, seconds):
        self.ahead += int(seconds * 1e9)

    def call(self, name, request):
        with self.lock:
            self.calls.append((name, request))
            return getattr(self, name)(request)

    def named(self, name):
        return [request for called, request in self.calls if called == name]

    def open(self):
        return list(self.tasks.values())

    def SubmitTask(self, request):  # noqa: N802
        state = request["current_state"] or "submitted"
        now = self.now()
        task = {
            "uuid": str(uuid.uuid4()),
            "queue": request["queue"] or "default",
            "current_state": state,
            "auto_target_state": request["auto_target_state"] or f"{state}-working",
            "submit_time": now,
            "update_time": now,
            "timeout": max(request["timeout"], 0),
            "priority": request["priority"],
        }
        assert len(request["payload"]) <= LONGEST_PAYLOAD
        self.tasks[task["uuid"]] = task
        self.payloads[task["uuid"]] = request["payload"]
        return {"task": dict(task)}

    def GetNextTask(self, request):  # noqa: N802
        return self.GetNextTaskGroup(request | {"queues": [request["queue"]]})

    def GetNextTaskGroup(self, request):  # noqa: N802
        waiting = [
            task
            for task in self.tasks.values()
            if task["queue"] in request["queues"]
            and task["current_state"] == request["current_state"]
        ]
        if not waiting:
            return {}
        task = min(waiting, key=lambda task: (-task["priority"], task["update_time"]))
        swap(task)
        timeout = request["override_timeout"]
        task["timeout"] = {True: 0, False: timeout or task["timeout"]}[timeout < 0]
        task["update_time"] = self.now()
        return {"delivery": {"task": dict(task), "payload": self.payloads[task["uuid"]]}}

    def UpdateTask(self, request):  # noqa: N802
        task = self.tasks.get(request["uuid"])
        if task is None:
            return {}
        state = request["new_state"] or "updated"
        task["current_state"] = state
        task["auto_target_state"] = request["auto_target_state"] or f"{state}-working"
        task["timeout"] = request.get("timeout", 0)
        task["priority"] = request.get("priority", 0)
        task["update_time"] = self.now()
        return {"task": dict(task)}

    def CompleteTask(self, request):  # noqa: N802
        return self._archive(request["uuid"], "completed")

    def CancelTask(self, request):  # noqa: N802
        return self._archive(request["uuid"], "canceled")

    def _archive(self, task_id, state):
        task = self.tasks.pop(task_id, None)
        if task is None:
            return {}
        self.archived[task_id] = task | {"current_state": state, "auto_target_state": state}
        return {"task": dict(self.archived[task_id])}

    def GetTaskStateByID(self, request):  # noqa: N802
        found = self.tasks.get(request["uuid"]) or self.archived.get(request["uuid"])
        return {"task": dict(found)} if found else {}

    def CleanUpTimedOut(self, request):  # noqa: N802
        count = 0
        for task in self.tasks.values():
            over = task["update_time"] + task["timeout"] * 10**9 < request["at_time"] + self.ahead
            if task["timeout"] > 0 and over and request["queue"] in {"", task["queue"]}:
                swap(task)
                task["timeout"] = 0
                task["update_time"] = self.now()
                count += 1
        return {"timed_out": count}


def swap(task):
    task["current_state"], task["auto_target_state"] = (
        task["auto_target_state"],
        task["current_state"],
    )


class Server:
    """One server; `stop` and `start` again at the same address.

    `lost`: names of calls that are done and not answered. `refuses`: code and message by call.
    `says`: bytes that it answers with instead, b"" for nothing at all, a list for a piece each
    tenth of a second. `old`: without groups, payloads inline.
    """

    scheme = ""
    handler: type | None = None

    def __init__(self, store=None, key=""):
        self.store = store or Store()
        self.key = key
        self.lost = set()
        self.says = None
        self.refuses = {}
        self.old = False
        self.port = 0
        self.server = None
        self.done = threading.Event()
        self.start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self):
        self.done.clear()
        self.server = self.made(("127.0.0.1", self.port), self.handler)
        self.server.face = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def stop(self):
        self.done.set()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            for connected in list(self.server.connected):
                with suppress(OSError):
                    connected.shutdown(socket.SHUT_RDWR)
        self.server = None

    def say(self, write):
        """Write what it `says`, the pieces of a list slowly, and then nothing."""
        for piece in self.says if isinstance(self.says, list) else [self.says]:
            if piece and not self.done.wait(0.1 if isinstance(self.says, list) else 0):
                write(piece)
        self.done.wait(20)

    def answer(self, name, request):
        """The answer, or None where it is lost. Raises Refusal."""
        if name in self.refuses:
            raise Refusal(*self.refuses[name])
        content = self.store.call(name, request)
        if name in self.lost:
            return None
        if self.old and "delivery" in content:
            delivery = content["delivery"]
            return {"task": delivery["task"] | {"payload": delivery["payload"]}}
        return content


class Refusal(Exception):
    pass


class Connected:
    """Remembers its connections, to end them with the server."""

    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, *arguments):
        self.connected = set()
        super().__init__(*arguments)

    def process_request(self, request, client_address):
        self.connected.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connected.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        pass


class CborHandler(socketserver.BaseRequestHandler):
    def handle(self):
        while head := self._read(4):
            frame = self._read(struct.unpack(">I", head)[0])
            face = self.server.face
            face.store.raw.append(frame)
            if face.says is not None:
                face.say(self.request.sendall)
                return
            answer = self._answer(cbor2.loads(frame), face)
            if answer is None:
                return
            content = cbor2.dumps(answer)
            self.request.sendall(struct.pack(">I", len(content)) + content)

    def _answer(self, asked, face):
        assert (asked["v"], asked["service"]) == (1, "CorndogsService")
        base = {"id": asked["id"], "status": 0}
        if face.key and asked.get("auth") != face.key:
            return base | {"status": 3, "error": f"no such key: {asked.get('auth')}"}
        name = asked["op"]
        if not hasattr(Store, name) or (face.old and name == "GetNextTaskGroup"):
            return base | {"status": 2, "error": "unknown op"}
        try:
            content = face.answer(name, cbor2.loads(asked["payload"].value))
        except Refusal as refusal:
            code, message = refusal.args
            error = cbor2.dumps({"code": code, "message": message})
            return base | {"variant": "ServiceError", "payload": cbor2.CBORTag(24, error)}
        if content is None:
            return None
        wrapped = cbor2.CBORTag(24, cbor2.dumps(content))
        return base | {"variant": f"{name}Response", "payload": wrapped}

    def _read(self, count):
        found = b""
        while len(found) < count:
            part = self.request.recv(count - len(found))
            if not part:
                return b""
            found += part
        return found


class CborServer(Server):
    scheme = "corndogs"
    handler = CborHandler
    made = type("Tcp", (Connected, socketserver.ThreadingTCPServer), {})


class HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def _handle(self):
        face = self.server.face
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        face.store.raw.append(self.requestline.encode() + content)
        if face.says is not None:
            face.say(self.wfile.write)
            self.close_connection = True
            return
        if face.key and self.headers.get("Authorization") != f"Bearer {face.key}":
            said = f"no such key: {self.headers.get('Authorization')}"
            self._send(401, {"error": said})
            return
        name, request = self._asked(json.loads(content or "{}"))
        try:
            answer = face.answer(name, request)
        except Refusal as refusal:
            self._send(500, {"error": refusal.args[1]})
            return
        if answer is None:
            self.close_connection = True
        elif not answer and name == "GetNextTask":
            self._send(204, None)
        elif not answer:
            self._send(404, {"error": "Task not found"})
        else:
            self._send(201 if name == "SubmitTask" else 200, self._shown(answer, face))

    do_GET = do_POST = do_PUT = _handle  # noqa: N815

    def _asked(self, body):
        parts = self.path.removeprefix("/api/v1/").split("/")
        if parts[0] == "queues":
            return "GetNextTask", body | {"queue": unquote(parts[1])}
        if len(parts) == 1:
            return "SubmitTask", body | {"payload": json.dumps(body["payload"]).encode()}
        whose = {"uuid": parts[1]}
        if len(parts) == 3:
            return "CancelTask", body | whose
        if self.command == "GET":
            return "GetTaskStateByID", whose
        if body["current_state"] == "completed":
            return "CompleteTask", body | whose
        return "UpdateTask", body | whose | {"new_state": body["current_state"]}

    def _shown(self, answer, face):
        """A task as it is; of one that is taken, with its payload."""
        if "delivery" in answer and not face.old:
            delivery = answer["delivery"]
            return {"delivery": delivery | {"payload": as_json(delivery["payload"])}}
        task = answer["task"]
        return task | ({"payload": as_json(task["payload"])} if "payload" in task else {})

    def _send(self, status, body):
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def as_json(payload):
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")


class HttpServer(Server):
    scheme = "http"
    handler = HttpHandler
    made = type("Http", (Connected, ThreadingHTTPServer), {})


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
