"""In front of a coordinator: may break, and keeps logs and files where that does not do so yet.

What it keeps it answers as docs/commands.md says; the rest is the coordinator's answer. Faults are
`down`, `logs_down`, `lose_answers` and `slow`.
"""

import hashlib
import json
import re
import sys
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx

from tests.serving import NO_TLS

TOKEN = "a-token-of-the-tests"
LOGS = re.compile(r"/v1/tasks/([^/]+)/logs")
JOB = re.compile(r"/api/v1/jobs/([^/]+)/(logs|artifacts)(?:/(.+))?")
FILES = re.compile(r"/v1/tasks/([^/]+)/artifacts/(.+)")


class Gateway(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = httpx.Client(base_url=upstream, timeout=60, verify=NO_TLS)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.token = {"Authorization": f"Bearer {TOKEN}"}
        schema = self.upstream.get("/api/schema/?format=json", headers=self.token).json()
        self.keeps = "/v1/tasks/{task_id}/logs" not in schema["paths"]
        self.lacks_jobs = "/api/v1/jobs/{job_id}/logs" not in schema["paths"]
        self.entries = defaultdict(list)  # (task, stream): entries
        self.batches = defaultdict(dict)  # (task, epoch, stream): digest of each number
        self.kept = {}  # (task, path): bytes
        self.refused = []  # what was wrong with requests
        self.down = False  # no answer to anything
        self.logs_down = False  # 503 for logs alone
        self.exits_down = False  # 503 for reports of commands
        self.lose_answers = 0  # so many batches are taken without an answer
        self.slow = 0.0
        self.lock = threading.Lock()

    def handle_error(self, request, client_address):
        """A runner that ends does not wait for answers."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def log(self, task_id, stream="stdout"):
        """The entries of a stream."""
        if self.keeps:
            return [{**entry, "timestamp": entry["at"]} for entry in self.entries[task_id, stream]]
        return self.read(f"/v1/tasks/{task_id}/logs?stream={stream}", b"[]", json.loads)

    def lines(self, task_id, stream="stdout"):
        return [entry["message"] for entry in self.log(task_id, stream)]

    def text(self, task_id):
        return "\n".join(self.lines(task_id) + self.lines(task_id, "stderr"))

    def files(self, task_id):
        """The bytes of each file."""
        if self.keeps:
            return {name: raw for (task, name), raw in self.kept.items() if task == task_id}
        where = f"/v1/tasks/{task_id}/artifacts"
        listed = self.read(where, b'{"artifacts": []}', json.loads)["artifacts"]
        return {one["path"]: self.read(f"{where}/{quote(one['path'])}") for one in listed}

    def read(self, path, default=b"", understand=bytes):
        answer = self.upstream.get(path, headers=self.token)
        return understand(default if answer.status_code == 404 else answer.content)

    def take_batch(self, task_id, raw):
        body = json.loads(raw)
        key = task_id, body["lease_epoch"], body["stream"]
        number, digest = body["sequence"], hashlib.sha256(raw).digest()
        with self.lock:
            known = self.batches[key]
            if number in known:
                return 200 if known[number] == digest else 409, {"accepted_sequence": len(known)}
            if problem := self.problem(raw, body, len(known)):
                self.refused.append(problem)
                return 409, {"error": {"code": "conflict", "message": problem}}
            known[number] = digest
            self.entries[task_id, body["stream"]] += body["entries"]
        return 200, {"accepted_sequence": number}

    def problem(self, raw, body, known):
        if body["sequence"] != known + 1:
            return f"batch {body['sequence']} after {known}"
        if len(raw) > 1024 * 1024 or not 1 <= len(body["entries"]) <= 5000:
            return f"a batch of {len(raw)} bytes and {len(body['entries'])} entries"
        if any(len(entry["message"].encode()) > 256 * 1024 for entry in body["entries"]):
            return "a message is too long"
        return ""

    def take_file(self, task_id, name, raw, sha256):
        if hashlib.sha256(raw).hexdigest() != sha256:
            return 400, {"error": {"code": "invalid_request", "message": "another digest"}}
        if len(raw) > 5_000_000:
            return 413, {"error": {"code": "payload_too_large", "message": "too large"}}
        known = self.kept.setdefault((task_id, name), raw) is not raw
        return 200 if known else 201, {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        gateway = self.server
        if gateway.down:
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        if gateway.exits_down and parts.path.endswith("/exit"):
            self.answer(503, {"error": {"code": "unavailable", "message": "away"}})
            return
        if self.command == "POST" and (found := LOGS.fullmatch(parts.path)):
            self.log_batch(found[1], raw)
        elif gateway.keeps and self.command == "PUT" and (found := FILES.fullmatch(parts.path)):
            assert parse_qs(parts.query).keys() == {"lease_epoch", "agent_id"}
            self.by_lease()
            digest = self.headers["X-Content-SHA256"]
            self.answer(*gateway.take_file(found[1], unquote(found[2]), raw, digest))
        elif gateway.lacks_jobs and self.command == "GET" and (found := JOB.fullmatch(parts.path)):
            self.read(found[1], found[2], unquote(found[3] or ""), parse_qs(parts.query))
        else:
            self.forward(raw)

    def read(self, job_id, what, name, query):
        """The log or the files of a job, as its owner reads them."""
        token = {"Authorization": self.headers["Authorization"]}
        job = self.server.upstream.get(f"/api/v1/jobs/{job_id}", headers=token)
        if job.status_code != 200:
            self.answer(job.status_code, raw=job.content)
        elif not self.server.keeps:
            self.path = self.path.replace(
                f"api/v1/jobs/{job_id}", f"v1/tasks/{job.json()['task_id']}"
            )
            self.forward(b"")
        elif what == "logs":
            self.read_log(job.json()["task_id"], query)
        else:
            self.read_files(job.json()["task_id"], name)

    def read_log(self, task_id, query):
        streams = query["stream"][0].replace("combined", "stdout stderr").split()
        entries = [
            {"timestamp": entry["at"], "stream": stream, "message": entry["message"], "attempt": 1}
            for stream in streams
            for entry in self.server.log(task_id, stream)
        ]
        entries.sort(key=lambda entry: entry["timestamp"])
        if "follow" in query:
            events = "".join(f"event: log\ndata: {json.dumps(entry)}\n\n" for entry in entries)
            end = "event: end\ndata: {}\n\n"
            self.answer(200, raw=f"retry: 2000\n\n{events}{end}".encode())
        else:
            self.answer(200, entries)

    def read_files(self, task_id, name):
        files = self.server.files(task_id)
        if name:
            self.answer(200, raw=files[name])
            return
        listed = [
            {"path": n, "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "attempt": 1}
            for n, raw in files.items()
        ]
        self.answer(200, {"artifacts": listed})

    def log_batch(self, task_id, raw):
        gateway = self.server
        self.by_lease()
        time.sleep(gateway.slow)
        if gateway.logs_down:
            self.answer(503, {"error": {"code": "unavailable", "message": "away"}})
            return
        if gateway.keeps:
            status, body = gateway.take_batch(task_id, raw)
        else:
            answer = self.upstream(raw)
            status, body = answer.status_code, answer.json()
        if gateway.lose_answers:
            gateway.lose_answers -= 1
            self.close_connection = True
            return
        self.answer(status, body)

    def by_lease(self):
        if not self.headers["Authorization"].startswith("Bearer lease_"):
            self.server.refused.append(f"{self.path} without the token of a lease")

    def upstream(self, raw):
        kept = ("authorization", "content-type", "idempotency-key", "accept", "x-content-sha256")
        headers = {name: self.headers[name] for name in kept if name in self.headers}
        return self.server.upstream.request(self.command, self.path, content=raw, headers=headers)

    def forward(self, raw):
        answer = self.upstream(raw)
        more = {name: answer.headers[name] for name in ("X-Next-Cursor",) if name in answer.headers}
        self.answer(answer.status_code, raw=answer.content, headers=more)

    def answer(self, status, body=None, raw=None, headers=()):
        content = json.dumps(body).encode() if raw is None else raw
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any  # noqa: N815


@contextmanager
def gateway(upstream):
    server = Gateway(upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        server.upstream.close()
        assert server.refused == []
