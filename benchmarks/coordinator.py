"""A coordinator of the benchmark's own: the default server, on a folder and a port for itself."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import orjson
import psycopg

from coordinator_project import embedded
from coordinator_project.cluster import free_port

PATIENCE = 60.0
OURS = ("COORDINATOR_", "ORHESTRA_", "DATABASE_URL", "DB_URI", "PORT", "SECRET_KEY")


class CoordinatorFailed(Exception):
    """The coordinator that is measured does not do what it should."""


@dataclass(frozen=True)
class Coordinator:
    """A running coordinator, and the address of its database."""

    port: int
    url: str
    server: int  # process ids, for the CPU time that each uses
    postgres: int

    @property
    def processes(self) -> dict[str, int]:
        """By name, for a meter."""
        return {"server": self.server, "postgres": self.postgres}

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True, application_name="bench")

    def open_channel(self, name: str) -> UUID:
        created: dict[str, dict[str, str]] = orjson.loads(self.post("/v1/channels", {"name": name}))
        return UUID(created["channel"]["id"])

    def get(self, path: str) -> bytes:
        """The body of the response to one request, which must succeed."""
        return self._request("GET", path)

    def post(self, path: str, body: object, within: float = 30.0) -> bytes:
        """The same for a request with a body."""
        return self._request("POST", path, orjson.dumps(body), within)

    def _request(
        self, verb: str, path: str, body: bytes | None = None, within: float = 30.0
    ) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=within)
        try:
            connection.request(verb, path, body)
            response = connection.getresponse()
            content = response.read()
            if response.status >= 300:
                raise CoordinatorFailed(f"{verb} {path}: {response.status} {content.decode()}")
            return content
        finally:
            connection.close()


@contextmanager
def running(folder: Path, product: Path) -> Iterator[Coordinator]:
    """What `script/server` runs in the checkout `product`, with default settings but those of
    sign-ins, until the block ends; its data is in `folder`."""
    folder.mkdir(mode=0o711, exist_ok=True)
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment |= {"COORDINATOR_DATA_DIR": str(folder), "COORDINATOR_PORT": str(port)}
    # Nothing is measured while the project is indexed.
    environment |= {"COORDINATOR_SEARCH_ROOTS": "off"}
    # One person signs in again and again.
    environment |= {"COORDINATOR_SIGN_IN_FAILURES": "0", "COORDINATOR_RATE_SIGN_IN": "off"}
    log = folder / "server.log"
    with log.open("wb") as file:
        server = subprocess.Popen(  # noqa: S603
            [sys.executable, product / "manage.py", "serve"],
            cwd=product,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        _wait_until_ready(server, port)
        with embedded.database(folder) as database:
            lines = (database.home / "data" / "postmaster.pid").read_text().splitlines()
            yield Coordinator(port, database.url, server.pid, int(lines[0]))
    except (OSError, psycopg.Error, CoordinatorFailed) as problem:
        raise CoordinatorFailed(f"{problem}\n{log.read_text()}") from problem
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        if _is_healthy(port):
            return
        time.sleep(0.05)
    raise CoordinatorFailed("The coordinator does not start.")


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
