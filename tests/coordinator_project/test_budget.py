"""The database has a connection for everybody who may need one at the same time."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from coordinator_project import budget, embedded
from coordinator_project.env import BASE_DIR
from tests.coordinator_project.running import environment, running
from tests.serving import NO_TLS

POOLS = """
import collections, gc, json, threading
from concurrent.futures import ThreadPoolExecutor
import asgiref.sync
import django
django.setup()
import coordinator_project.asgi
from django.urls import get_resolver
get_resolver().url_patterns
pools = collections.Counter()
for one in gc.get_objects():
    # asgiref's own is for async code without a context; here each has one.
    if isinstance(one, ThreadPoolExecutor) and (
        one is not asgiref.sync.SyncToAsync.single_thread_executor
    ):
        pools[one._thread_name_prefix] += one._max_workers
print(json.dumps(pools))
"""


def test_every_pool_of_threads_is_in_the_budget(folder):
    done = subprocess.run(
        [sys.executable, "-c", POOLS],
        cwd=BASE_DIR,
        env=environment(folder, DJANGO_SETTINGS_MODULE="coordinator_project.settings"),
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == budget.THREADS


def test_the_embedded_server_has_connections_for_all_processes():
    assert budget.embedded(1) == budget.embedded(2) == 100
    for processes in (16, 64):
        assert budget.embedded(processes) - budget.OF_SUPERUSERS == budget.needed(processes)


@pytest.mark.parametrize(
    ("allowed", "wanted", "fitting"),
    [
        (budget.needed(4), 4, 4),
        (budget.needed(4) - 1, 4, 3),
        (budget.needed(1), 4, 1),
        (budget.OF_A_PROCESS + budget.OF_THE_LOOP, 4, 1),
        (budget.OF_A_PROCESS + budget.OF_THE_LOOP - 1, 4, 0),
        (10_000, 4, 4),
    ],
)
def test_so_many_processes_fit(allowed, wanted, fitting):
    assert budget.fitting(allowed, wanted) == fitting


def limited(url, connections):
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE coordinator CONNECTION LIMIT {connections}")


def test_a_start_with_too_few_connections_says_what_is_missing(used_folder, folder):
    own = folder.with_name("own")
    with embedded.database(used_folder, durable=False) as database:
        place = {"COORDINATOR_DATABASE_URL": database.url, "COORDINATOR_PROCESSES": "3"}
        place["SECRET_KEY"] = "0123456789abcdef" * 3  # so nothing else makes the data folder
        limited(database.url, budget.needed(2))
        with running(own, **place) as coordinator:
            coordinator.ready()
            assert f"allows {budget.needed(2)} connections, and 3 processes need" in (
                coordinator.output
            )
            assert "Until then, 2 of them run." in coordinator.output
            assert coordinator.get("/health").status_code == 200

        limited(database.url, 10)
        with running(own, **place) as coordinator:
            assert coordinator.process.wait(60) == 1
            coordinator.reader.join()
        assert "The database allows 10 connections" in coordinator.output
        assert "Traceback" not in coordinator.output


def test_sixteen_processes_never_lack_a_connection(used_folder):
    with running(used_folder, COORDINATOR_PROCESSES="16") as coordinator:
        url = coordinator.ready(within=110).url
        httpx.post(url + "/v1/channels", json={"name": "idle"}, timeout=30)

        def claim(number):
            """Every third waits; each has a connection of its own, as an agent has."""
            wait = "?wait_seconds=5" if number % 3 == 0 else ""
            request = {"agent_id": f"agent-{number}", "channels": ["idle"], "max_tasks": 1}
            with httpx.Client(base_url=url, timeout=60, verify=NO_TLS) as client:
                answers = [
                    client.post("/v1/tasks/claim" + wait, json=request)
                    for _ in range(1 if wait else 5)
                ]
            return {answer.status_code for answer in answers}

        with ThreadPoolExecutor(120) as pool:
            claims = pool.map(claim, range(120))
            with embedded.database(used_folder) as database, psycopg.connect(database.url) as psql:
                used = psql.execute("SELECT count(*) FROM pg_stat_activity").fetchone()[0]
            statuses = set().union(*claims)

        assert statuses == {200}
        assert used > 16
        assert "too many" not in coordinator.output
