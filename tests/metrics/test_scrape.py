"""`GET /metrics`: what it says, to whom, and how much it reads."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from metrics import scrape
from tasks.models import Task
from tests.factories import give, make_agent, make_chain, make_channel, make_tasks, silence
from tests.metrics.reading import of, samples
from tests.tasks.counting import fold_all, statuses
from tests.tasks.plans import rows_read
from tests.tasks.test_tallies import end, live

pytestmark = pytest.mark.django_db

LARGE = ("tasks_task", "events_event")


def scraped(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"
    return samples(answer.content.decode())


def test_tasks_are_told_by_channel_and_status(client):
    live()

    found = scraped(client)

    told = of(found, "coordinator_tasks")
    for status, count in statuses().items():
        assert sum(value for key, value in told.items() if key[1] == status) == count


def test_what_happened_is_told_by_type_in_the_words_of_seed_003(client):
    live()
    fold_all()

    found = scraped(client)

    assert of(found, "cogo_scheduler_claim_total", job_type="build") == {(): 4}
    assert of(found, "cogo_job_lease_expired_total") == {("build",): 1}
    assert of(found, "cogo_job_retries_total", job_type="build") == {
        ("expired",): 1,
        ("failed",): 1,
    }
    assert of(found, "cogo_job_failures_total") == {("build", "not_retriable"): 1}
    assert of(found, "cogo_job_dlq_total") == {("build", "validation_failed"): 1}
    assert of(found, "cogo_jobs_succeeded_total") == {(): 1}
    assert of(found, "cogo_job_latency_seconds_count", job_type="build") == {
        ("queue",): 4,
        ("run",): 4,
    }


def test_a_histogram_is_cumulative_and_ends_with_all(client):
    channel, agent = make_channel("builds"), make_agent()
    make_tasks(2, channel=channel)
    for seconds in (40, 4_000):
        Task.objects.queued().update(available_at=Now() - timedelta(seconds=seconds))
        give(agent, channel)
    fold_all()

    found = of(scraped(client), "coordinator_task_wait_seconds_bucket", channel="builds")

    assert (found["30.0",], found["60.0",], found["600.0",], found["+Inf",]) == (0, 1, 1, 2)


def test_agents_are_told_by_state(client, monkeypatch):
    make_agent("working")
    make_agent("leaving", draining=True)
    silence(make_agent("quiet"), timedelta(minutes=2))
    silence(make_agent("gone"), timedelta(hours=2))

    assert of(scraped(client), "coordinator_agents") == {
        ("online",): 1,
        ("draining",): 1,
        ("silent",): 1,
        ("lost",): 1,
    }


def test_the_oldest_waiting_task_counts_whatever_its_priority(client):
    channel = make_channel("builds")
    make_tasks(2, channel=channel, priority=5)
    [old] = make_tasks(1, channel=channel, priority=-1)
    Task.objects.filter(pk=old.pk).update(available_at=Now() - timedelta(seconds=500))
    make_channel("idle")

    found = of(scraped(client), "coordinator_oldest_waiting_seconds")

    assert 499 < found["builds",] < 600
    assert found["idle",] == 0


def test_who_runs_what_is_told(client):
    channel, agent = make_channel(), make_agent("worker-1")
    make_tasks(3, channel=channel, type="build")
    end(give(agent, channel), well=True)
    give(agent, channel)

    found = scraped(client)

    assert of(found, "cogo_worker_inflight_jobs", worker_id="worker-1") == {("build",): 1}
    assert of(found, "cogo_jobs_inflight") == {(): 1}


def test_chains_are_told_by_status(client):
    make_chain(tasks=2)
    make_chain(tasks=1)

    assert of(scraped(client), "coordinator_chains", status="queued") == {(): 2}


def test_the_number_of_statements_does_not_depend_on_the_rows():
    def asked():
        with CaptureQueriesContext(connection) as context:
            scrape.text()
        return len(context)

    asked()
    before = asked()
    live()
    live()

    assert asked() == before <= 24


@pytest.mark.django_db(transaction=True)
def test_a_scrape_reads_few_rows_however_many_tasks_there_are():
    channel, agent = make_channel(), make_agent()
    for _ in range(10):
        make_tasks(1_000, channel=channel)
    for _ in range(5):
        give(agent, channel)
    fold_all()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    sent = []

    def note(execute, sql, params, many, context):
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        scrape.text()

    read = {sql: rows_read(sql, params, LARGE) for sql, params in sent}
    assert {sql: rows for sql, rows in read.items() if rows > 100} == {}
    assert len(read) > 10
