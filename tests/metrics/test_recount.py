"""A coordinator of several processes works; each counter is compared with a recount of the tables.

While nothing is folded yet, after it is, and after the coordinator was started again.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from coordinator_project import embedded
from tests.coordinator_project.conftest import used_by_module
from tests.coordinator_project.running import eventually, name_of, running, workers
from tests.metrics.reading import of, samples

__all__ = ["used_by_module"]

EVENTS = """
SELECT c.name, substr(e.type, 6),
  COALESCE(e.payload ->> 'dead_letter', e.payload ->> 'outcome', ''), count(*)
FROM events_event e JOIN tasks_channel c ON c.id = e.channel_id
WHERE e.type LIKE 'task.%' AND e.source = 'coordinator' GROUP BY 1, 2, 3"""
TASKS = """
SELECT c.name, t.status, count(*) FROM tasks_task t JOIN tasks_channel c ON c.id = t.channel_id
GROUP BY 1, 2"""
BY_TYPE = """
SELECT COALESCE(payload ->> 'type', ''), count(*) FROM events_event
WHERE type = 'task.claimed' AND job_id IS NULL GROUP BY 1"""
LEASES = """
SELECT count(*) FROM events_event WHERE type = 'task.claimed' UNION ALL
SELECT count(*) FROM events_event WHERE payload ->> 'from' = 'in_progress'"""
BEHIND = """
SELECT count(*) FROM events_event
WHERE type LIKE 'task.%' AND id > (SELECT folded FROM tasks_tallymark)"""


class Fleet:
    """Agents and a person that talk to a running coordinator."""

    def __init__(self, coordinator):
        self.http = httpx.Client(base_url=coordinator.ready().url, timeout=20)
        self.refused = self.renewed = 0

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.http.close()

    def post(self, path, expected=(200, 201), **body):
        answer = self.http.post(path, json=body)
        assert answer.status_code in expected, (path, answer.text)
        return answer.json()

    def create(self, number, channel="demo", **fields):
        for place in range(number):
            self.post("/v1/tasks", channel=channel, title=f"task {place}", **fields)

    def claim(self, agent="worker", channel="demo", **more):
        asked = {"agent_id": agent, "channel": channel, "max_tasks": 1, **more}
        return self.post("/v1/tasks/claim", **asked)["tasks"][0]

    def end(self, task, verb="complete", expected=(200,), **more):
        held = {"task_id": task["id"], "agent_id": task["assigned_agent_id"]}
        self.refused += expected == (409,)
        return self.post(f"/v1/tasks/{verb}", expected, **held, **more)

    def work(self):
        """Everything that can happen to a task."""
        for name in ("demo", "other"):
            self.post("/v1/channels", (200, 201, 409), name=name)
        self.create(12)
        self.create(3, channel="other")
        with ThreadPoolExecutor(4) as pool:
            for task in pool.map(lambda n: self.claim(f"worker-{n}"), range(4)):
                self.end(task)
        self.end(self.claim(), "fail", reason="broken")
        self.end(self.claim(), "fail", reason="again", retriable=True)
        renewed = self.claim(lease_seconds=60)
        self.post(f"/v1/tasks/{renewed['id']}/renew", agent_id="worker")
        self.renewed += 1
        late = self.claim("sleeper", lease_seconds=1)
        eventually(lambda: self.state(late) != "in_progress", 30)
        self.end(self.claim("second"), "fail", reason="for good")
        self.end(renewed, lease_epoch=99, expected=(409,))
        self.end(renewed)
        letters = self.http.get("/v1/dead-letters").json()["dead_letters"]
        self.post(f"/v1/tasks/{letters[0]['id']}/requeue", reason="a test")
        self.post("/v1/dead-letters/purge", ids=[letters[1]["id"]], reason="a test")
        self.claim("third", channel="other")

    def state(self, task):
        return self.http.get(f"/v1/tasks/{task['id']}").json()["task"]["status"]

    def metrics(self):
        answer = self.http.get("/metrics")
        assert answer.status_code == 200
        return samples(answer.text)


@pytest.fixture(scope="module")
def database(used_by_module):
    with (
        embedded.database(used_by_module, durable=False) as found,
        psycopg.connect(found.url, autocommit=True) as connection,
    ):
        yield connection


def run(folder):
    return running(
        folder,
        COORDINATOR_PROCESSES="2",
        COORDINATOR_TASK_REAPER_SECONDS="1",
        COORDINATOR_GRACE_SECONDS="1",  # else no lease runs out in the first 30 s
    )


def agree(found, database):
    """Each counter is what the tables say."""
    events = {tuple(key): count for *key, count in database.execute(EVENTS)}
    assert of(found, "coordinator_task_events_total") == events
    tasks = {key: count for key, count in of(found, "coordinator_tasks").items() if count}
    assert tasks == {tuple(key): count for *key, count in database.execute(TASKS)}
    claims = {(type_,): count for type_, count in database.execute(BY_TYPE)}
    assert of(found, "cogo_scheduler_claim_total") == claims
    ends = Counter()
    for (_, event, reason), count in events.items():
        ends[event, reason] += count
    assert sum(of(found, "cogo_job_lease_expired_total").values()) == ends["retried", "expired"]
    retries = sum(count for (event, _), count in ends.items() if event == "retried")
    assert sum(of(found, "cogo_job_retries_total").values()) == retries
    failures = sum(count for (event, _), count in ends.items() if event == "failed")
    assert sum(of(found, "cogo_job_failures_total").values()) == failures
    assert sum(of(found, "cogo_job_dlq_total").values()) == failures
    assert of(found, "cogo_jobs_failed_total") == {(): failures}


def timings_agree(found, database):
    [(waits,), (runs,)] = database.execute(LEASES)
    counts = of(found, "cogo_job_latency_seconds_count")
    by_phase = Counter()
    for (_, phase), count in counts.items():
        by_phase[phase] += count
    assert by_phase == {"queue": waits, "run": runs}


def all_folded(database):
    return database.execute(BEHIND).fetchone()[0] == 0


def assert_a_killed_process_is_forgotten(coordinator, fleet):
    """What it has counted stays counted, and another takes its place."""
    before = fleet.metrics()
    killed, *others = (one for one in workers(coordinator) if "http" in name_of(one))
    killed.kill()
    eventually(
        lambda: (
            len([one for one in workers(coordinator) if "http" in name_of(one)]) == len(others) + 1
        ),
        30,
    )
    after = eventually(lambda: answered(fleet), 30)
    for name in ("coordinator_claim_seconds_count", "coordinator_http_request_seconds_count"):
        assert sum(of(after, name).values()) >= sum(of(before, name).values())
    assert of(after, "coordinator_waiting_clients", kind="claim") == {(): 0}


def answered(fleet):
    """A scrape; the connection may have been one of the process that was killed."""
    try:
        return fleet.metrics()
    except httpx.TransportError:
        return None


@pytest.mark.timeout(300)
def test_every_counter_is_what_a_recount_says(used_by_module, database):
    with run(used_by_module) as coordinator, Fleet(coordinator) as fleet:
        fleet.work()
        agree(fleet.metrics(), database)

        eventually(lambda: all_folded(database), 30)
        found = fleet.metrics()
        agree(found, database)
        timings_agree(found, database)
        assert sum(of(found, "coordinator_reports_refused_total").values()) == fleet.refused
        assert sum(of(found, "cogo_job_lease_renew_total").values()) == fleet.renewed
        claimed = of(found, "coordinator_claim_seconds_count", result="some")
        assert sum(claimed.values()) == sum(of(found, "cogo_scheduler_claim_total").values())
        assert of(found, "coordinator_http_request_seconds_count", code="409")
        assert of(found, "coordinator_pass_late", **{"pass": "tasks.fold"}) == {(): 0}
        assert of(found, "coordinator_loop_led") == {(): 1}
        assert_a_killed_process_is_forgotten(coordinator, fleet)
        shown = fleet.http.get("/console/overview").json()["counters"]["tasks"]
        told = Counter()
        for (_, status), count in of(found, "coordinator_tasks").items():
            told[status] += int(count)
        assert shown == told

    with run(used_by_module) as coordinator, Fleet(coordinator) as fleet:
        again = fleet.metrics()
        agree(again, database)
        assert sum(of(again, "coordinator_reports_refused_total").values()) == 0
        fleet.work()
        agree(fleet.metrics(), database)
        eventually(lambda: all_folded(database), 30)
        timings_agree(fleet.metrics(), database)
