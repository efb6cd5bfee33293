"""No agent is lost for a silence that was the coordinator's."""

import os
import re
import signal
import threading
import time
from contextlib import contextmanager, suppress

import httpx
import psutil
import psycopg
import pytest

from coordinator_project import embedded
from coordinator_project.address import Address
from tests.coordinator_project.running import eventually, running
from tests.jobs.sweeps import ranges

LOST = 6
AWAY = 10.0  # seconds, longer than a SPOT may be silent
HELD = 4


class Spots:
    """SPOTs that send heartbeats for as long as they live; each holds a task."""

    def __init__(self, url):
        self.client = httpx.Client(base_url=url, timeout=2)
        self.dead = set()
        self.stop = threading.Event()
        self.answered = 0

    def post(self, path, **body):
        answer = self.client.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def claim(self):
        self.post("/api/v1/jobs", **ranges(dimension=(1, HELD, 1)))
        for number in range(HELD):
            tasks = self.post("/internal/v1/tasks/claim", spotId=f"spot-{number}", maxTasks=1)
            assert len(tasks["tasks"]) == 1

    def live(self):
        while not self.stop.wait(0.3):
            for number in set(range(HELD)) - self.dead:
                with suppress(httpx.HTTPError):
                    usual = {"cpuLoad": 0, "runningTasks": 1, "totalCores": 1}
                    self.post("/internal/v1/heartbeat", spotId=f"spot-{number}", **usual)
                    self.answered += 1

    def heard(self):
        """Whether every one has been heard again."""
        seen = self.answered
        return eventually(lambda: self.answered > seen + 2 * HELD, 30)


@pytest.fixture(scope="module")
def server(used_by_module):
    more = {
        "COORDINATOR_PROCESSES": "1",
        "COORDINATOR_SPOT_LOST_SECONDS": str(LOST),
        "COORDINATOR_AGENT_REAPER_SECONDS": "1",
        "COORDINATOR_GRACE_SECONDS": "5",
    }
    with running(used_by_module, **more) as one:
        one.folder = used_by_module
        yield one.ready(60)


@pytest.fixture
def spots(server):
    one = Spots(server.url)
    one.claim()
    thread = threading.Thread(target=one.live)
    thread.start()
    yield one
    one.stop.set()
    thread.join(30)
    one.client.close()


def value_of(server, query, **values):
    with psycopg.connect(url_of(server), autocommit=True) as database:
        return database.execute(query, values).fetchone()[0]


def url_of(server):
    running_file = Address(server.folder).announced()
    password = (server.folder / "postgres.password").read_text()
    return f"postgresql://coordinator:{password}@127.0.0.1:{running_file['port']}/coordinator"


def wait_for_the_end_of_the_grace(server):
    over = "SELECT NOT EXISTS (SELECT FROM agents_pulse WHERE grace_until > now())"
    eventually(lambda: value_of(server, over), 60)


def untouched(server):
    """Whether the tasks are all with those who claimed them, without a loss."""
    kept = "SELECT count(*) FROM tasks_task WHERE status = 'in_progress' AND lease_epoch = 1"
    lost = "SELECT count(*) FROM tasks_attempt"
    return value_of(server, kept) == HELD and value_of(server, lost) == 0


@contextmanager
def standing_still(server):
    """PostgreSQL, all of it, gets no time."""
    lines = (embedded.home_of(server.folder) / "data" / "postmaster.pid").read_text().splitlines()
    postmaster = psutil.Process(int(lines[0]))
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in family:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)


@contextmanager
def table_locked(server, name):
    with psycopg.connect(url_of(server)) as database:
        database.execute(f"LOCK TABLE {name} IN SHARE MODE")
        yield
        database.rollback()


def test_neither_a_database_that_stood_still_nor_a_locked_table_is_a_loss(server, spots):
    wait_for_the_end_of_the_grace(server)
    assert untouched(server)
    for trouble in (
        standing_still(server),
        table_locked(server, "agents_agent"),
        table_locked(server, "tasks_task"),
    ):
        with trouble:
            time.sleep(AWAY)
        spots.heard()
        wait_for_the_end_of_the_grace(server)
        time.sleep(2)  # two runs of the reaper
        assert untouched(server)
    assert not re.search("Reaped|came back|permanently", server.output)

    spots.dead = {0}
    lost = "SELECT count(*) FROM tasks_attempt WHERE agent_id = 'spot-0' AND outcome = 'lost'"
    eventually(lambda: value_of(server, lost) == 1, 60)
    assert value_of(server, "SELECT count(*) FROM tasks_task WHERE status = 'in_progress'") == 3
