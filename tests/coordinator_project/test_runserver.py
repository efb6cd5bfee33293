"""Django's development server: pages, API and the live socket on one port, with autoreload."""

import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from websockets.sync.client import connect

from api import nothing
from coordinator_project import env
from tests.coordinator_project.running import eventually

MANAGE = env.BASE_DIR / "manage.py"


@pytest.fixture
def server(used_folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = os.environ | {"COORDINATOR_DATA_DIR": str(used_folder)}
    settings.pop("DJANGO_SETTINGS_MODULE", None)
    subprocess.run([sys.executable, MANAGE, "migrate"], env=settings, check=True, timeout=100)
    output = used_folder / "output"
    with output.open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, MANAGE, "runserver", f"127.0.0.1:{port}"],
            env=settings,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield f"http://127.0.0.1:{port}", output
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def answers(url):
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_runserver_serves_pages_api_and_the_live_socket_and_reloads(server):
    url, output = server
    eventually(lambda: answers(url), 40)

    assert "dashboard" in httpx.get(url).text
    assert httpx.get(f"{url}/static/dashboard/icon.svg").status_code == 200
    assert httpx.post(f"{url}/v1/channels", json={"name": "work"}).status_code == 201
    with connect(url.replace("http", "ws") + "/console/live", origin=url) as page:
        assert "cursor" in json.loads(page.recv(10))
        httpx.post(f"{url}/v1/tasks", json={"channel": "work", "title": "x"}).raise_for_status()
        assert "tasks" in json.loads(page.recv(10))

    os.utime(nothing.__file__)
    eventually(lambda: b"changed, reloading" in output.read_bytes(), 20)
    eventually(lambda: output.read_bytes().count(b"Listening on TCP") == 2, 40)
    assert answers(url)
