"""What needs a person is found by reading few rows of large tables."""

import pytest
from django.db import connection
from django.utils import timezone

from agents.models import Agent, Pulse
from benchmarks import lists
from chains.models import Chain
from dashboard import attention, channel_findings, counters, findings
from tasks.models import Channel, Task
from tests.factories import fail_at_once
from tests.tasks.plans import nodes

pytestmark = pytest.mark.django_db

TASKS = 20_000
LARGE = ("tasks_task", "events_event", "chains_chain")


@pytest.fixture(scope="module")
def _filled(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        lists.fill(TASKS)
        fail_at_once(Task.objects.filter(chain=None, job=None, status="queued"))
        Pulse.objects.create(beat_at=timezone.now(), grace_until=timezone.now())
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE tasks_task; ANALYZE chains_chain; ANALYZE agents_agent")
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE agents_agent, tasks_channel, jobs_job, events_event, agents_pulse CASCADE"
        )


def read(collect):
    """What a source finds, and the most rows of a large table that one of its statements read."""
    sent = []

    def listen(execute, statement, params, many, context):
        sent.append((statement, params))
        return execute(statement, params, many, context)

    with connection.execute_wrapper(listen):
        found = list(collect())
    most = 0
    for statement, params in sent:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", params)
            plan = cursor.fetchone()[0][0]["Plan"]
        rows = sum(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            for node in nodes(plan)
            if node.get("Relation Name", "").startswith(LARGE)
        )
        most = max(most, rows)
    return found, most


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize(
    ("collect", "most"),
    [
        (findings.locked_chains, attention.MOST_COUNTED + 1),
        (findings.absent_agents, 4_000),  # a few for each agent that holds something
        (findings.dead_letters, findings.MOST_LETTERS + 100),
        (findings.jobs_that_stand_still, 3_000),
    ],
    ids=["locked chains", "absent agents", "dead letters", "jobs"],
)
def test_each_kind_reads_few_rows(collect, most):
    assert Task.objects.count() >= TASKS
    Chain.objects.update(status="locked")

    _, rows = read(collect)

    assert rows <= most


@pytest.mark.usefixtures("_filled")
def test_channels_are_judged_by_what_is_kept():
    for kept in (counters.channels, counters.waits):
        kept.forget()
    counters.channels.read(), counters.waits.read()
    Agent.objects.all()

    _, rows = read(channel_findings.collect)

    assert rows == 0
    assert Channel.objects.exists()


@pytest.mark.usefixtures("_filled")
def test_there_are_more_dead_letters_than_are_counted():
    [finding, *_] = [one for one in attention.found() if one.kind == "dead_letters"]

    assert finding.more
    assert finding.message.startswith(f"{findings.MOST_LETTERS:,}+ ")
