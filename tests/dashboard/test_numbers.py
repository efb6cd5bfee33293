"""Each number has one definition: whoever tells it, it is what the journal counts."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from agents.models import Agent
from dashboard import attention, counters, overview
from events.models import Event
from tasks import queue, transitions
from tasks.models import Channel, Task
from tests.factories import give, make_agent, make_channel, make_job, make_tasks, sweeps
from tests.metrics.reading import of, samples
from tests.tasks.counting import fold_all, statuses
from tests.tasks.test_tallies import end

pytestmark = pytest.mark.django_db


def get(path, **query):
    for kept in (counters.counters, counters.channels, counters.waits, overview.overview):
        kept.forget()
    attention.kept.forget()
    answer = Client().get(path, query)
    assert answer.status_code == 200, answer.content
    return answer


def live():
    """Tasks that end in every way, some of which are put back, and one that failed long ago."""
    channel, agent = make_channel("work"), make_agent()
    make_tasks(9, channel=channel)
    for _ in range(3):
        end(give(agent, channel), well=False)
    for _ in range(2):
        end(give(agent, channel), well=True)
    transitions.requeue(Task.objects.failed().first().pk, by="tests")
    transitions.cancel(Task.objects.queued().first().pk, by="tests")
    give(agent, channel)
    make_job(tasks=2)
    end(give(agent, sweeps()), well=False)
    old = Event.objects.filter(type="task.failed").earliest("id")
    Event.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=2))


def happened(within=None, *, of_job=None, **fields):
    """How many events of the journal are of this kind."""
    found = Event.objects.filter(source="coordinator", **fields)
    if within is not None:
        found = found.filter(created_at__gte=timezone.now() - within)
    if of_job is not None:
        found = found.filter(job_id__isnull=not of_job)
    return found.count()


@pytest.mark.parametrize("folded", [False, True])
def test_failures_are_what_the_journal_counts(folded):
    live()
    if folded:
        fold_all()

    shown = get("/console/overview").json()["counters"]
    series = get("/console/series", range="1h").json()
    week = get("/console/series", range="7d").json()
    scraped = samples(get("/metrics").content.decode())
    start = (timezone.now() - timedelta(hours=1)).isoformat()
    summary = get("/api/metrics/summary", **{"from": start}).json()["totals"]

    hour = happened(timedelta(minutes=59), type="task.failed")
    assert hour == 3
    assert shown["failures_last_hour"] == hour
    assert sum(shown["trends"]["failed"]) == hour
    assert sum(series["failed"]) == hour
    assert sum(week["failed"]) == happened(type="task.failed") == 4
    assert sum(of(scraped, "coordinator_task_events_total", event="failed").values()) == 4
    # In the words of seed 003 jobs are tasks that are of no sweep and of no command.
    alone = happened(timedelta(minutes=59), type="task.failed", of_job=False)
    assert summary["failures"] == alone == 2


@pytest.mark.parametrize("folded", [False, True])
def test_what_ended_is_what_the_journal_counts(folded):
    live()
    if folded:
        fold_all()

    shown = get("/console/overview").json()["counters"]
    series = get("/console/series").json()
    scraped = samples(get("/metrics").content.decode())
    start = (timezone.now() - timedelta(hours=1)).isoformat()
    summary = get("/api/metrics/summary", **{"from": start}).json()["totals"]

    done = happened(type="task.completed")
    cancelled = happened(type="task.cancelled")
    failed = happened(timedelta(minutes=59), type="task.failed")
    assert (done, cancelled) == (2, 1)
    assert (sum(series["done"]), sum(series["cancelled"])) == (done, cancelled)
    assert sum(shown["trends"]["ended"]) == done + failed + cancelled
    assert sum(of(scraped, "coordinator_task_events_total", event="completed").values()) == done
    assert summary["succeeded"] == done


@pytest.mark.parametrize("folded", [False, True])
def test_what_there_is_now_is_what_the_tasks_are(folded):
    live()
    if folded:
        fold_all()

    shown = get("/console/overview").json()["counters"]
    series = get("/console/series").json()
    scraped = samples(get("/metrics").content.decode())

    counted = statuses()
    assert shown["tasks"] == counted
    assert shown["dead_letters"] == Task.objects.dead_letters().count() == counted["failed"] == 3
    for name, status in (("waiting", "queued"), ("running", "in_progress")):
        assert shown["trends"][name][-1] == series[name][-1] == counted[status]
        assert sum(of(scraped, "coordinator_tasks", status=status).values()) == counted[status]


def test_the_oldest_wait_is_that_of_the_first_task_that_could_be_claimed():
    live()
    channel = make_channel("old")
    make_tasks(2, channel=channel)
    long_ago = timezone.now() - timedelta(minutes=30)
    Task.objects.filter(channel=channel).update(available_at=long_ago)

    shown = get("/console/overview").json()["counters"]["oldest_waiting_at"]
    scraped = of(samples(get("/metrics").content.decode()), "coordinator_oldest_waiting_seconds")
    age = get("/api/metrics/summary").json()["backlog"]["oldestReadyAgeSec"]

    oldest = min(queue.waiting_since(list(Channel.objects.values_list("pk", flat=True))).values())
    assert shown == oldest.isoformat().replace("+00:00", "Z")
    assert max(scraped.values()) == pytest.approx(age, abs=60)
    assert 1_800 <= age <= 1_900


def test_agents_online_are_the_same_everywhere():
    make_agent("one")
    make_agent("two", seen_ago=timedelta(hours=1))

    shown = get("/console/overview").json()["counters"]
    health = get("/api/metrics/health").json()["coordinator"]

    assert shown["agents_online"] == health["agentsOnline"] == Agent.objects.online().count() == 1


@pytest.mark.parametrize("query", [{"range": "2h"}, {"range": "1H"}, {"range": "x" * 1000}])
def test_a_range_that_there_is_not_is_refused(query):
    assert Client().get("/console/series", query).status_code == 400


@pytest.mark.parametrize("channel", ["x", "0" * 32])
def test_a_channel_that_there_is_not_is_not_found(channel):
    assert Client().get("/console/series", {"channel": channel}).status_code == 404


def test_a_channel_has_a_series_of_its_own():
    live()
    channel = Channel.objects.get(name="work")

    found = get("/console/series", range="24h", channel=str(channel.pk)).json()

    assert (found["range"], found["channel"]) == ("24h", str(channel.pk))
    assert len(found["done"]) == 96
    assert sum(found["failed"]) == happened(type="task.failed", channel_id=channel.pk)
    assert found["waiting"][-1] == Task.objects.queued().filter(channel=channel).count()
