"""No agent is lost for a silence that was the coordinator's."""

import os
import re
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import psutil
import psycopg
import pytest

from coordinator_project import embedded
from coordinator_project.address import Address
from tests.coordinator_project.running import eventually, running, workers
from tests.jobs.sweeps import ranges

LOST = 8
AWAY = 11.0  # seconds, longer than a SPOT may be silent
SPOTS = [f"spot-{number}" for number in range(4)]
LOCKED = 16


class Spots:
    """SPOTs that send heartbeats for as long as they live; each holds a task."""

    def __init__(self, url):
        self.client = httpx.Client(base_url=url, timeout=2)
        self.stop = threading.Event()
        self.answered = Counter()

    def post(self, path, **body):
        answer = self.client.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def claim(self, *spots):
        self.post("/api/v1/jobs", **ranges(dimension=(1, len(spots), 1)))
        for spot in spots:
            assert len(self.post("/internal/v1/tasks/claim", spotId=spot, maxTasks=1)["tasks"]) == 1

    def live(self, spot):
        usual = {"cpuLoad": 0, "runningTasks": 1, "totalCores": 1}
        while not self.stop.wait(0.3):
            with suppress(httpx.HTTPError):
                self.post("/internal/v1/heartbeat", spotId=spot, **usual)
                self.answered[spot] += 1

    def heard(self):
        """Whether every one has been heard again."""
        seen = Counter(self.answered)
        return eventually(lambda: all(self.answered[spot] > seen[spot] + 1 for spot in SPOTS), 30)


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


@pytest.fixture(scope="module")
def spots(server):
    """They live through all the troubles."""
    one = Spots(server.url)
    one.claim(*SPOTS)
    with ThreadPoolExecutor(len(SPOTS)) as pool:
        for spot in SPOTS:
            pool.submit(one.live, spot)
        yield one
        one.stop.set()
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
    kept = (
        "SELECT count(*) FROM tasks_task"
        " WHERE status = 'in_progress' AND lease_epoch = 1 AND agent_id = ANY(%(spots)s)"
    )
    bad = "SELECT count(*) FROM tasks_attempt WHERE agent_id = ANY(%(spots)s)"
    return (value_of(server, kept, spots=SPOTS), value_of(server, bad, spots=SPOTS)) == (4, 0)


@contextmanager
def stopped(pids):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def postgres_stopped(server):
    """PostgreSQL, all of it, gets no time."""
    lines = (embedded.home_of(server.folder) / "data" / "postmaster.pid").read_text().splitlines()
    postmaster = psutil.Process(int(lines[0]))
    return stopped([postmaster.pid, *(one.pid for one in postmaster.children(recursive=True))])


def backends_stopped(server):
    """Those of the only process that hears agents; the maintenance loop has its own."""
    ports = [one.laddr.port for one in hearing_process(server).net_connections("tcp")]
    query = "SELECT array_agg(pid) FROM pg_stat_activity WHERE client_port = ANY(%(ports)s)"
    return stopped(value_of(server, query, ports=ports))


def hearing_process(server):
    [process] = [one for one in workers(server) if one.name() == "http-0"]
    return process


@contextmanager
def table_locked(server, name, mode="SHARE"):
    with psycopg.connect(url_of(server)) as database:
        database.execute(f"LOCK TABLE {name} IN {mode} MODE")
        yield
        database.rollback()


@contextmanager
def process_stopped(server):
    """The only process that hears agents; it is replaced later than a SPOT is lost."""
    process = hearing_process(server)
    process.suspend()
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()


@contextmanager
def rows_of_others_locked(server):
    """Agents whose rows somebody has locked fill all threads that hear agents."""
    others = [f"other-{number}" for number in range(LOCKED)]
    stop = threading.Event()

    def beat(other):
        with httpx.Client(base_url=server.url, timeout=2) as client:
            while not stop.wait(0.2):
                with suppress(httpx.HTTPError):
                    client.post("/v1/agents/heartbeat", json={"agent_id": other})

    for other in others:
        httpx.post(f"{server.url}/v1/agents/heartbeat", json={"agent_id": other}, timeout=30)
    with psycopg.connect(url_of(server)) as database, ThreadPoolExecutor(LOCKED) as pool:
        database.execute("SELECT FROM agents_agent WHERE id LIKE 'other-%' FOR UPDATE")
        for other in others:
            pool.submit(beat, other)
        yield
        stop.set()
        database.rollback()


TROUBLES = {
    "a database that stands still": postgres_stopped,
    "its connections that stand still": backends_stopped,
    "locked agents": lambda server: table_locked(server, "agents_agent"),
    "locked tasks": lambda server: table_locked(server, "tasks_task"),
    "locked tokens": lambda server: table_locked(server, "accounts_apitoken", "ACCESS EXCLUSIVE"),
    "a process that stands still": process_stopped,
    "locked rows of others": rows_of_others_locked,
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_silence_that_is_ours_is_no_loss(server, spots, trouble):
    wait_for_the_end_of_the_grace(server)
    assert untouched(server)
    said = len(server.output)

    with TROUBLES[trouble](server):
        time.sleep(AWAY)

    spots.heard()
    wait_for_the_end_of_the_grace(server)
    time.sleep(2)  # two runs of the reaper
    assert untouched(server), server.output[said:]
    assert not re.search("Reaped|came back|permanently", server.output[said:])


def test_an_agent_that_is_silent_by_itself_is_lost(server, spots):
    spots.claim("silent")
    lost = "SELECT count(*) FROM tasks_attempt WHERE agent_id = 'silent' AND outcome = 'lost'"

    eventually(lambda: value_of(server, lost) == 1, 60)

    assert untouched(server)
