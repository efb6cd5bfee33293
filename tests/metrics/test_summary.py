"""`GET /api/metrics/summary` and `/api/metrics/health`: contract 003, 4.3 and 1.3."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from events.models import Event
from tasks import leases, series, tally_window
from tasks.models import Task
from tasks.tallies import BUCKETS
from tests.factories import give, make_agent, make_channel, make_job, make_task, make_tasks
from tests.tasks.counting import fold_all
from tests.tasks.test_tallies import end, live

pytestmark = pytest.mark.django_db

PATH = "/api/metrics/summary"


def seen(client, **query):
    answer = client.get(PATH, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def happened(found):
    """The totals but for conflicts, which this process counts from its beginning."""
    return {count for name, count in found["totals"].items() if name != "conflicts"}


def test_it_has_every_key_of_the_contract_when_nothing_happened(client):
    found = seen(client)

    nothing = {"count": 0, "p50": None, "p95": None}
    assert found.keys() == {
        *("ok", "ts", "window", "jobs", "totals", "latency", "rates", "workers", "backlog")
    }
    assert found["jobs"]["byStatus"] == dict.fromkeys(
        ["queued", "assigned", "running", "succeeded", "failed", "cancelled", "dead_lettered"], 0
    )
    assert found["latency"] == {"queue": nothing, "run": nothing, "byType": {}}
    assert (found["rates"]["successRate"], found["rates"]["dlqRate"]) == (None, None)
    assert found["backlog"] == {"ready": 0, "delayed": 0, "oldestReadyAgeSec": None}
    assert happened(found) == {0}
    start, to = (datetime.fromisoformat(found["window"][name]) for name in ("from", "to"))
    assert to - start == timedelta(days=1)


def test_jobs_are_told_as_they_are_now(client):
    channel, agent = make_channel("builds"), make_agent("w")
    make_tasks(4, channel=channel, type="build")
    end(give(agent, channel), well=True)
    running = give(agent, channel)
    leases.start(running.pk, agent_id="w", epoch=running.lease_epoch)
    give(agent, channel)
    make_job(tasks=3)

    jobs = seen(client)["jobs"]

    counts = {"queued": 1, "assigned": 1, "running": 1, "succeeded": 1}
    assert {name: count for name, count in jobs["byStatus"].items() if count} == counts
    assert jobs["byExecutor"] == {"builds": jobs["byStatus"]}
    assert {job["executor_id"] for job in jobs["recent"]} == {"builds"}
    assert len(jobs["recent"]) == 4


@pytest.mark.parametrize("folded", [False, True])
def test_totals_are_those_of_the_window(client, folded):
    live()
    if folded:
        fold_all()

    found = seen(client)

    totals = found["totals"]
    assert {name: totals[name] for name in ("claims", "retries", "failures", "dlq")} == {
        **{"claims": 4, "retries": 2},
        **{"failures": 1, "dlq": 1},
    }
    assert (totals["leaseExpired"], totals["succeeded"]) == (1, 1)
    conflicts = totals["conflicts"]
    rates = {"successRate": 0.5, "conflictRate": conflicts / (4 + conflicts), "dlqRate": 0.5}
    assert found["rates"] == rates
    before = timezone.now() - timedelta(days=3)
    past = seen(client, **{"from": before.isoformat(), "to": (before + timedelta(1)).isoformat()})
    assert happened(past) == {0}


def test_hours_and_their_parts_add_up_wherever_the_window_begins():
    make_tasks(60)
    hours = timedelta(hours=5)
    now = timezone.now()
    events = list(Event.objects.filter(type="task.created").order_by("id"))
    for place, event in enumerate(events):
        event.created_at = now - hours * place / len(events)
    Event.objects.bulk_update(events, ["created_at"])
    fold_all()

    for minutes in (0, 7, 59, 60, 61, 150, 299):
        start = now - timedelta(minutes=minutes + 1)
        window = tally_window.Window(start, now - timedelta(minutes=1))
        told = sum(row.count for row in tally_window.counted(window)[1] if row.source == "")
        inside = [one for one in events if window.start <= one.created_at < window.end]
        assert told == len(inside)


def test_a_window_that_is_too_large_is_counted_by_whole_hours(client, monkeypatch):
    live()
    fold_all()
    monkeypatch.setattr(tally_window, "PATIENCE", "1ms")
    nap = "WITH nap AS MATERIALIZED (SELECT pg_sleep(0.1)),"
    slow = tally_window.WITHIN.replace("WITH ", nap, 1)
    slow = slow.replace("FROM typed)", "FROM typed, nap)")
    whole = tally_window._counted

    def counted(window):
        if window != window.widened():
            monkeypatch.setattr(tally_window, "WITHIN", slow)
            try:
                return whole(window)
            finally:
                monkeypatch.undo()
        return whole(window)

    monkeypatch.setattr(tally_window, "_counted", counted)

    found = seen(client)

    start, to = (datetime.fromisoformat(found["window"][name]) for name in ("from", "to"))
    assert (start.minute, to.minute) == (0, 0)
    assert found["totals"]["claims"] == 4


def test_latency_is_by_phase_and_type(client):
    live()
    fold_all()

    latency = seen(client)["latency"]

    assert (latency["queue"]["count"], latency["run"]["count"]) == (4, 4)
    assert 0 < latency["run"]["p50"] <= latency["run"]["p95"] < 60
    assert latency["byType"].keys() == {"build"}


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ({}, 0.5, None),
        ({3: 10}, 0.5, 0.375),
        ({3: 10, 4: 10}, 0.5, 0.5),
        ({3: 10, 4: 10}, 0.95, 0.95),
        ({13: 1}, 0.5, 600.0),
    ],
)
def test_percentiles_lie_within_their_bucket(counts, share, expected):
    buckets = [counts.get(place, 0) for place in range(len(BUCKETS) + 1)]

    assert series.percentile(buckets, share) == expected


def test_the_backlog_is_told(client):
    make_tasks(3)
    Task.objects.update(available_at=timezone.now() - timedelta(seconds=90))
    Task.objects.filter(pk=make_task().pk).update(postponed=True)

    found = seen(client)["backlog"]

    assert (found["ready"], found["delayed"]) == (3, 1)
    assert 90 <= found["oldestReadyAgeSec"] < 100


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-01T00:00:00Z"}, "to"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, "from"),
        ({"from": "2999-01-02T00:00:00Z"}, "from"),
    ],
)
def test_a_window_that_is_none_is_refused(client, query, named):
    answer = client.get(PATH, query)

    assert answer.status_code == 400
    body = answer.json()
    assert (body["code"], list(body["details"])) == ("validation_error", [named])


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_ends_of_time_are_no_trouble(client, end):
    for query in ({"to": end}, {"from": end}, {"from": "0001-01-01T00:00:00Z", "to": end}):
        assert client.get(PATH, query).status_code in {200, 400}


def test_health_is_honest_that_there_are_no_providers(client):
    make_agent()
    make_task()

    found = client.get("/api/metrics/health", {"since_min": "5"}).json()

    assert (found["ok"], found["providers"]) == (True, [])
    assert found["coordinator"]["agentsOnline"] == 1
    assert found["coordinator"]["ready"] == 1
    since, now = (datetime.fromisoformat(found[name]) for name in ("since", "ts"))
    assert now - since == timedelta(minutes=5)


@pytest.mark.parametrize("given", ["0", "-1", "x", "1.5", "43201", "٣"])
def test_health_refuses_what_is_no_time(client, given):
    answer = client.get("/api/metrics/health", {"since_min": given})

    assert answer.status_code == 400
    assert answer.json()["details"].keys() == {"since_min"}
