"""Helpers for tests of a job's counters: reading them in both ways, and changing them."""

from jobs import tally
from jobs.models import Job, Tally
from tasks import reports
from tasks.models import Task
from tasks.rows import Outcome
from tests.factories import counted, make_agent, recounted, run_fast, sweeps, take


def of(job):
    return Task.objects.filter(job=job)


def seen(job):
    """The job with its exact counters, which folding must not change."""
    apart = Job.objects.counted().get(pk=job.pk)
    assert counted(job) == recounted(job)
    tally.fold()
    assert not Tally.objects.filter(job=job).exists()
    assert counted(job) == recounted(job)
    row = Job.objects.counted().get(pk=job.pk)
    for name in ("total", "completed", "failed", "cancelled", "status", "started_at"):
        assert getattr(apart, f"counted_{name}") == getattr(row, name), name
        assert getattr(row, f"counted_{name}") == getattr(row, name), name
    assert apart.counted_finished_at == row.finished_at == row.counted_finished_at
    return row


def complete(task):
    assert run_fast("a", outcomes=[Outcome(task.pk, done=True)])


def fail(task):
    assert run_fast("a", outcomes=[Outcome(task.pk, done=False)])


def retry(task):
    reports.report_in_transaction(
        [Outcome(task.pk, done=False, retriable=True)], agent_id="a", by=""
    )


def work_off(job, *, failing=False):
    agent = make_agent("a")
    while tasks := take(agent, sweeps(), max_tasks=9):
        for task in tasks:
            fail(task) if failing else complete(task)
