import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from coordinator_project.env import BASE_DIR
from tests.coordinator_project.conftest import copied
from tests.coordinator_project.running import (
    address,
    answers,
    environment,
    eventually,
    gone,
    postgres_of,
    running,
    workers,
)


def test_it_prints_the_address_that_it_serves(used_folder):
    with running(used_folder) as coordinator:
        coordinator.ready()

        answer = coordinator.get("/health")

        assert answer.status_code == 200
        assert answer.json()["ok"] is True


def test_the_first_start_creates_an_admin_who_can_sign_in_and_prints_the_password_once(folder):
    with running(folder) as coordinator:
        coordinator.ready()
        assert coordinator.output.count("Created the first user: admin, password ") == 1
        password = coordinator.output.partition("password ")[2].split()[0]
        with httpx.Client(base_url=coordinator.url) as browser:
            page = "/login?next=/admin/"
            browser.get(page)
            form = {"username": "admin", "password": password}
            token = browser.cookies["csrftoken"]
            answer = browser.post(page, data=form | {"csrfmiddlewaretoken": token})

        assert (answer.status_code, answer.headers["location"]) == (302, "/admin/")

    with running(folder) as coordinator:
        coordinator.ready()
        assert "password" not in coordinator.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_that_was_started(used_folder, number):
    with running(used_folder) as coordinator:
        coordinator.ready()
        family = coordinator.family()
        assert {"postgres"} < {process.name() for process in family}

        started = time.monotonic()
        code = coordinator.end(number)

        assert code == 0
        assert time.monotonic() - started < 8
        assert gone(family, within=1)
        assert not answers(coordinator)


def test_a_signal_in_the_middle_of_the_start_stops_everything(folder):
    with running(folder) as coordinator:
        family = eventually(lambda: postgres_of(coordinator))
        coordinator.end(signal.SIGTERM)

        assert gone(family)
        assert "Traceback" not in coordinator.output


def test_open_streams_and_waiting_claims_end_by_themselves(used_folder):
    with running(used_folder) as coordinator, ThreadPoolExecutor(4) as pool:
        url = coordinator.ready().url
        httpx.post(url + "/v1/channels", json={"name": "idle"})
        request = {"channels": ["idle"], "max_tasks": 1}
        claims = [
            pool.submit(
                httpx.post,
                url + "/v1/tasks/claim?wait_seconds=30",
                json=request | {"agent_id": name},
                timeout=60,
            )
            for name in ("one", "two")
        ]
        streams = [pool.submit(httpx.get, url + "/v1/stream", timeout=60) for _ in range(2)]
        eventually(lambda: sum(connections_of(coordinator).values()) == 4)
        eventually(lambda: len(coordinator.get("/v1/agents").json()["agents"]) == 2)

        started = time.monotonic()
        code = coordinator.end(signal.SIGTERM)

        assert (code, time.monotonic() - started < 5) == (0, True)
        assert [one.result().json() for one in claims] == [{"tasks": []}, {"tasks": []}]
        assert [one.result().status_code for one in streams] == [200, 200]


def test_a_request_that_never_ends_does_not_delay_the_shutdown(used_folder):
    with running(used_folder) as coordinator:
        coordinator.ready()
        with socket.create_connection(address(coordinator)) as half:
            half.sendall(
                b"POST /v1/tasks/claim HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
            )

            started = time.monotonic()
            coordinator.end(signal.SIGTERM)

            assert time.monotonic() - started < 8


def test_connections_are_shared_evenly_among_the_processes(used_folder):
    with running(used_folder) as coordinator, ExitStack() as stack:
        coordinator.ready()
        for _ in range(8):
            client = stack.enter_context(httpx.Client(base_url=coordinator.url))
            client.get("/health")

        shares = connections_of(coordinator).values()

        assert sorted(shares) == [0, 0, 4, 4], "the others are the maintenance loop and bulk"


def test_lists_and_jobs_are_answered_by_a_process_of_low_priority(used_folder):
    with (
        running(used_folder) as coordinator,
        httpx.Client(base_url=coordinator.ready().url) as client,
    ):
        [bulk] = [process for process in workers(coordinator) if process.nice() > 0]
        before = sum(bulk.cpu_times()[:2])

        for path in ("/v1/tasks?limit=3", "/v1/agents", "/api/v1/jobs", "/v1/events") * 10:
            answer = client.get(path, headers={"X-Request-Id": path})
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
            assert answer.headers["x-request-id"] == path
        assert sum(bulk.cpu_times()[:2]) > before
        large = {"algorithms": ["PSO"] * 20_000}
        for body in ({}, large) * 20:
            answer = client.post("/api/v1/jobs", json=body)
            assert answer.status_code == 400
            assert "is required" in answer.json()["error"]  # so all of the body has arrived

        for path in ("/health", "/api/v1/health", "/v1/agents/nobody/current-task"):
            assert "connection" not in client.get(path).headers
        with client.stream("GET", "/v1/stream") as stream:
            assert stream.headers["connection"] == "keep-alive"


def test_lists_are_answered_while_the_process_for_bulk_is_away(used_folder):
    with running(used_folder) as coordinator:
        coordinator.ready()
        [bulk] = [process for process in workers(coordinator) if process.nice() > 0]
        bulk.kill()

        assert coordinator.get("/v1/tasks").status_code == 200


def test_a_taken_port_is_one_sentence(used_folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with running(used_folder, COORDINATOR_PORT=str(port)) as coordinator:
            code = coordinator.process.wait(20)
            coordinator.reader.join()

    assert code == 1
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use." in coordinator.output
    assert "Set another COORDINATOR_PORT" in coordinator.output
    assert "Traceback" not in coordinator.output


def test_a_second_coordinator_on_one_data_folder_is_refused(used_folder):
    other = copied(used_folder, used_folder.with_name("other"))
    with running(used_folder) as first, running(other) as elsewhere:
        first.ready()
        elsewhere.ready()
        with running(used_folder) as second:
            code = second.process.wait(30)
            second.reader.join()

        assert code == 1
        assert f"Another coordinator runs on the data folder {used_folder}." in second.output
        assert first.get("/health").status_code == 200
        assert elsewhere.get("/health").status_code == 200


def test_a_token_ends_protected_mode(used_folder):
    with running(used_folder, COORDINATOR_AUTH_TOKEN="open sesame") as coordinator:
        coordinator.ready()

        without = coordinator.get("/v1/agents")
        with_it = httpx.get(coordinator.url + "/v1/agents", headers={"X-Api-Key": "open sesame"})

        assert "Protected mode" not in coordinator.output
        assert "open sesame" not in coordinator.output
        assert (without.status_code, with_it.status_code) == (401, 200)


def test_listening_everywhere_asks_for_allowed_hosts(used_folder):
    everywhere = {"COORDINATOR_HOST": "0.0.0.0", "COORDINATOR_AUTH_TOKEN": "open sesame"}  # noqa: S104
    with running(used_folder, **everywhere) as coordinator:
        coordinator.ready()
        assert "set COORDINATOR_ALLOWED_HOSTS" in coordinator.output

    with running(used_folder, COORDINATOR_ALLOWED_HOSTS="queue.lan", **everywhere) as coordinator:
        coordinator.ready()
        url = coordinator.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        statuses = [
            httpx.get(url + "/health", headers={"Host": host}).status_code
            for host in ("queue.lan", "elsewhere.lan")
        ]

        assert "set COORDINATOR_ALLOWED_HOSTS" not in coordinator.output
        assert statuses == [200, 400]


def test_a_command_uses_the_database_of_the_coordinator_that_runs(used_folder):
    with running(used_folder) as coordinator:
        coordinator.ready()
        before = [process.pid for process in postgres_of(coordinator)]

        users = count_users(used_folder)

        assert users == "1"
        assert before[0] in [process.pid for process in postgres_of(coordinator)]
        assert answers(coordinator)


def test_a_command_starts_the_database_and_stops_it_when_no_coordinator_runs(used_folder):
    assert count_users(used_folder) == "1"

    assert not (used_folder / "postgres.running").exists()
    assert not (used_folder / "postgres/data/postmaster.pid").exists()


def count_users(folder):
    count = "from accounts.models import User; print(User.objects.count())"
    done = subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), "shell", "--no-imports", "-c", count],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def connections_of(coordinator):
    """The number of clients of each process."""
    port = address(coordinator)[1]
    return {
        process.pid: [
            (connection.laddr.port, connection.status) for connection in process.net_connections()
        ].count((port, "ESTABLISHED"))
        for process in workers(coordinator)
    }
