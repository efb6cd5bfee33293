"""Stands in for the coordinator, to give a worker what a real one does only once in a while."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.coordinator_project.running import Program, surroundings

PAYLOAD = {"alg": "PSO", "iterations": 20, "agents": 5, "dimension": 2}


class Pretender:
    """Gives out `tasks`, one list a claim, and remembers all requests."""

    def __init__(self, url):
        self.url = url
        self.tasks = []
        self.heartbeat_answer = {}  # added to responses to heartbeats
        self.trouble = []  # statuses of the next responses; None: no response
        self.refused = {}  # statuses of responses to reports, by task id
        self.requests = []

    def respond(self, path, body):
        if self.trouble:
            return self.trouble.pop(0), {}
        self.requests.append((path, body))
        verb = path.removeprefix("/internal/v1/")
        if verb == "hello":
            return 200, {"spotId": body.get("spotId", "spot-abc")}
        if verb == "heartbeat":
            return 200, {"success": True, **self.heartbeat_answer}
        if verb == "tasks/claim":
            return 200, {"tasks": self.tasks.pop(0) if self.tasks else []}
        return self.refused.get(verb.split("/")[1], 200), {"success": True}

    def bodies_of(self, verb):
        """The bodies of all requests whose path ends so."""
        return [body for path, body in [*self.requests] if path.endswith(f"/{verb}")]

    def reports(self):
        """Which tasks were reported, and how."""
        return [
            (path.split("/")[-2], path.split("/")[-1])
            for path, _ in [*self.requests]
            if path.endswith(("/complete", "/fail"))
        ]


def task(task_id, epoch=1, payload=PAYLOAD, **different):
    return {"id": task_id, "payload": json.dumps(payload | different), "leaseEpoch": epoch}


@contextmanager
def pretending():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, data = pretender.respond(self.path, json.loads(body))
            if status is None:
                self.close_connection = True
                return
            content = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pretender = Pretender(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield pretender
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class WorkerProgram(Program):
    def __init__(self, url, *arguments, **more):
        options = ("--url", url, "--beat", "0.1", *arguments)
        super().__init__("examples/optimizer_worker.py", *options, env=surroundings() | more)

    def end(self, within=20.0):
        code = self.process.wait(within)
        self.reader.join(5)
        return code


@contextmanager
def working(url, *arguments, **more):
    worker = WorkerProgram(url, *arguments, **more)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.process.kill()
        worker.end()
