"""A server that speaks as S3 does, in its own process on a loopback port."""

import socket
import subprocess
import sys
from contextlib import closing, contextmanager, suppress

import httpx

from tests.coordinator_project.running import eventually, free_port
from tests.serving import NO_TLS

BUCKET = "objects-of-tests"


@contextmanager
def s3_server():
    """The address of the server, which has one bucket and ends with the block."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: listens(port), within=60)
        url = f"http://127.0.0.1:{port}"
        httpx.put(f"{url}/{BUCKET}", verify=NO_TLS).raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait(10)


def listens(port):
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 1)):
        return True


def raw(url, query=""):
    """What the server itself says of the bucket."""
    return httpx.get(f"{url}/{BUCKET}?{query}", verify=NO_TLS).text
