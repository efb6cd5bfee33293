"""The view `job_events`, beside the events that the API shows of a job."""

import json

import pytest
from django.db import connection

from events import journal
from tasks import dead_letters, reports
from tasks import transitions as tasks
from tasks.rows import Outcome
from tests.accounts.tokens import ADMINISTRATOR
from tests.collab.calls import data
from tests.factories import give, make_agent, make_held_task, make_job, make_task, tasks_of

pytestmark = pytest.mark.django_db

COLUMNS = ("id", "seq", "job_id", "event_type", "payload", "actor")


def rows(where="", *values):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM job_events {where}", values)  # noqa: S608
        return [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]


def lived(collab):
    """A job that has been through most of what there is."""
    task = make_task(max_attempts=2, trace="trace-1")
    agent = make_agent()
    give(agent, task.channel)
    collab.post("/task.progress", jobId=str(task.pk), workerId=agent.pk, pct=10)
    collab.post("/task.renew", jobId=str(task.pk), workerId=agent.pk, leaseSeconds=60)
    collab.post("/task.release", jobId=str(task.pk), workerId=agent.pk, reason="later")
    for _ in range(2):
        give(agent, task.channel)
        reports.report(agent.pk, [Outcome(task.pk, False, reason="no", retriable=True)])
    dead_letters.requeue([task.pk], by="tests", reason="again")
    give(agent, task.channel)
    reports.report(agent.pk, [Outcome(task.pk, True)])
    return task


def test_the_view_has_what_the_api_shows(collab):
    task = lived(collab)
    journal.post(
        agent_id="agent-1",
        type_="task.failed",
        task_id=str(task.pk),
        payload={},
        idempotency_key="",
        caller=ADMINISTRATOR,
    )

    shown = data(collab.get(f"/events/by-job/{task.pk}"))["items"]
    found = rows("WHERE job_id = %s ORDER BY id", str(task.pk))

    assert [{name: one[name] for name in COLUMNS} for one in shown] == [
        row | {"payload": json.loads(row["payload"])} for row in found
    ]
    names = [row["event_type"] for row in found]
    assert names == [
        "queued",
        "assigned",
        "started",
        "progress",
        "lease_renewed",
        "released",
        "assigned",
        "retry_scheduled",
        "assigned",
        "failed_dlq",
        "requeued",
        "assigned",
        "succeeded",
    ]


def test_the_view_has_no_task_of_a_sweep_and_nothing_that_agents_post():
    [of_sweep] = tasks_of(make_job(tasks=1))
    tasks.cancel(of_sweep.pk, by="tests")
    journal.record("task.started", task_id=str(of_sweep.pk))
    journal.post(
        agent_id="agent-1",
        type_="task.completed",
        task_id="no id",
        payload={},
        idempotency_key="",
        caller=ADMINISTRATOR,
    )

    assert rows() == []


def test_the_events_of_one_job_are_found_by_an_index():
    task = make_held_task()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT * FROM job_events WHERE job_id = %s ORDER BY seq", [str(task.pk)]
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "task_id)::text = " in plan
    assert "Seq Scan" not in plan
