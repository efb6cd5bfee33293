"""A process that serves HTTP on the tests' database, like those that `serve` starts."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager

import httpx
from django.db import connection
from psycopg.conninfo import make_conninfo

from coordinator_project.env import BASE_DIR

BODY = """
import socket, sys
from coordinator_project import http_server
import coordinator_project.asgi

class Ready:
    def send(self, _):
        print("ready", flush=True)

exec(sys.argv[2])
http_server.serve(Ready(), socket.socket(fileno=int(sys.argv[1])), [0], 0)
"""
TOKEN = "a token of the tests"
# Reading the certificates of the world for each client takes longer than most requests here.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Server:
    """One process, on a port that stays the same after a restart."""

    def __init__(self, listening, first, environment):
        self.listening = listening
        self.first = first
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.headers = {"Authorization": f"Bearer {TOKEN}"}
        self.environment = environment
        self.start()

    def start(self):
        given = connection.settings_dict
        keys = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST"}
        names = {key: given[name] for key, name in (keys | {"port": "PORT"}).items()}
        conninfo = dict(part for part in names.items() if part[1])
        self.process = subprocess.Popen(
            [sys.executable, "-c", BODY, str(self.listening.fileno()), self.first],
            cwd=BASE_DIR,
            env=os.environ
            | {"COORDINATOR_DATABASE_URL": url(**conninfo), "COORDINATOR_AUTH_TOKEN": TOKEN}
            | self.environment,
            pass_fds=[self.listening.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors = []
        self.reader = threading.Thread(
            target=lambda: self.errors.extend(self.process.stderr), daemon=True
        )
        self.reader.start()
        if self.process.stdout.readline() != "ready\n":
            self.stop()
            raise AssertionError("".join(self.errors))

    def stop(self, number=signal.SIGTERM, within=60.0):
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(within)
        self.reader.join(60)
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def client(self):
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=40, verify=NO_TLS)


def url(**parts):
    """The parts of an address as one URL; values that need escaping go into its query."""
    query = make_conninfo(**parts)
    pairs = dict(pair.split("=", 1) for pair in query.split(" "))
    return f"postgresql://?{httpx.QueryParams(pairs)}"


@contextmanager
def serving(first="", **environment):
    """A server that runs until the block ends; `first` is Python code that it runs at its start."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(listening, first, environment)
        try:
            yield server
        finally:
            server.stop()
