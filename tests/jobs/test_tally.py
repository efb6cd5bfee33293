"""A job's counters are right after each change of its tasks, before and after folding."""

import pytest
from django.db import connection, transaction
from django.db.models import F, Sum
from django.db.models.functions import Now

from jobs import tally
from jobs.models import Job, Tally
from tasks import batches, dead_letters, leases, reports, transitions
from tasks.models import Task
from tasks.rows import Outcome
from tests.factories import (
    counted,
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_job,
    make_job_tasks,
    make_task,
    run_fast,
    silence,
    sweeps,
    take,
)
from tests.jobs.counting import complete, fail, of, retry, seen, work_off
from tests.tasks.plans import nodes

pytestmark = pytest.mark.django_db


# Everything that changes a task of three, the first of which an agent holds.


def complete_the_slow_way(task):
    reports.report_in_transaction([Outcome(task.pk, done=True)], agent_id="a", by="")


def complete_and_claim(task):
    assert run_fast("a", outcomes=[Outcome(task.pk, done=True)], channel=sweeps().pk)


def fail_all_it_may(task):
    for _ in range(3):
        if fresh(task).status == "queued":
            give(make_agent("a"), sweeps())
        outcome = Outcome(task.pk, done=False, retriable=True)
        reports.report_in_transaction([outcome], agent_id="a", by="")


def expire(task):
    let_lease_run_out(task)
    leases.expire_leases()


def expire_for_good(task):
    Task.objects.filter(pk=task.pk).update(attempts=2)
    expire(task)


def lose(task):
    silence(task.agent)
    leases.release_lost()


def complete_late(task):
    lose(task)
    complete_the_slow_way(task)


def refuse(task):
    reports.refuse(task.pk, agent_id="a")


def refuse_for_good(task):
    Task.objects.filter(pk=task.pk).update(max_attempts=1)
    refuse(task)


def cancel(task):
    transitions.cancel(task.pk, by="operator", force=True)


def cancel_all(task):
    batches.cancel_all(of(task.job), by="operator")


def cancel_all_and_end(task):
    cancel_all(task)
    fail(task)


def requeue(task):
    fail(task)
    transitions.requeue(task.pk, by="operator")


def requeue_all(task):
    fail(task)
    batches.requeue_all(of(task.job), by="operator")


def purge(task):
    fail(task)
    dead_letters.each(dead_letters.purge, [task.pk], by="operator", reason="")


def delete(task):
    Task.objects.filter(pk=task.pk).delete()


def add(task):
    make_job_tasks(task.job, 2)


def write_by_hand(task):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tasks_task SET status = 'cancelled', finished_at = now(),"
            " lease_expires_at = NULL WHERE job_id = %s",
            [task.job_id],
        )


def insert_by_hand(task):
    Task.objects.create(
        job=task.job, channel=sweeps(), title="done before", status="done", finished_at=Now()
    )


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        (complete, (3, 1, 0, 0)),
        (complete_the_slow_way, (3, 1, 0, 0)),
        (complete_and_claim, (3, 1, 0, 0)),
        (fail, (3, 0, 1, 0)),
        (fail_all_it_may, (3, 0, 1, 0)),
        (retry, (3, 0, 0, 0)),
        (expire, (3, 0, 0, 0)),
        (expire_for_good, (3, 0, 1, 0)),
        (lose, (3, 0, 0, 0)),
        (complete_late, (3, 1, 0, 0)),
        (refuse, (3, 0, 0, 0)),
        (refuse_for_good, (3, 0, 1, 0)),
        (cancel, (3, 0, 0, 1)),
        (cancel_all, (3, 0, 0, 2)),
        (cancel_all_and_end, (3, 0, 0, 3)),
        (requeue, (3, 0, 0, 0)),
        (requeue_all, (3, 0, 0, 0)),
        (purge, (2, 0, 0, 0)),
        (delete, (2, 0, 0, 0)),
        (add, (5, 0, 0, 0)),
        (write_by_hand, (3, 0, 0, 3)),
        (insert_by_hand, (4, 1, 0, 0)),
    ],
)
def test_every_change_of_a_task_is_counted_once(change, counts):
    job, other = make_job(tasks=3), make_job(tasks=2)
    make_agent("a")
    task = give(make_agent("a"), sweeps())
    assert task.job == job

    change(task)

    assert counted(job) == counts
    seen(job)
    assert counted(other) == (2, 0, 0, 0)


# Folding.


def test_folding_returns_the_number_of_tallies(monkeypatch):
    monkeypatch.setattr(tally, "FOLD", tally.FOLD.replace(str(tally.BATCH), "2"))
    monkeypatch.setattr(tally, "BATCH", 2)
    make_job(tasks=1)
    job = make_job(tasks=3)
    work_off(job)
    gathered = Tally.objects.count()
    assert gathered > 4

    assert tally.fold() == gathered

    assert tally.fold() == 0
    assert seen(job).status == "COMPLETED"


def test_a_change_without_effect_on_counters_writes_no_tally():
    job = make_job(tasks=2)
    alone = make_task()
    task = give(make_agent("a"), sweeps())
    tally.fold()

    Task.objects.update(priority=F("priority") + 1)
    leases.renew(task.pk, agent_id="a", lease_seconds=60)
    retry(task)
    give(make_agent("a"), sweeps())
    take(make_agent("a"), alone.channel)
    complete(alone)

    assert not Tally.objects.exists()
    assert seen(job).status == "RUNNING"


def test_a_statement_leaves_a_tally_for_each_task_that_ends_and_none_for_a_renewal():
    jobs = [make_job(tasks=4) for _ in range(2)]
    tasks = take(make_agent("a"), sweeps(), max_tasks=8, lease_seconds=60)
    tally.fold()

    leases.renew_listed("a", {task.pk: None for task in tasks})
    assert not Tally.objects.exists()
    outcomes = [Outcome(task.pk, done=True) for task in tasks]
    assert run_fast("a", outcomes=outcomes)

    counted = Tally.objects.order_by("job").values_list("job").annotate(Sum("completed"))
    assert list(counted) == [(job.pk, 4) for job in jobs]


def test_deleting_a_job_deletes_its_tasks_and_tallies():
    job, other = make_job(tasks=2), make_job(tasks=1)
    tally.fold()
    give(make_agent("a"), sweeps())

    Job.objects.filter(pk=job.pk).delete()
    tally.fold()

    assert list(Job.objects.all()) == [other]
    assert not Tally.objects.exists()
    assert {task.job for task in Task.objects.all()} == {other}
    assert seen(other).total == 1


def test_a_rolled_back_change_is_not_counted():
    job = make_job(tasks=2)
    before = counted(job)

    with transaction.atomic():
        work_off(job)
        assert counted(job) == (2, 2, 0, 0)
        transaction.set_rollback(True)

    assert counted(job) == before
    assert seen(job).status == "PENDING"


def test_many_jobs_are_counted_in_one_query(django_assert_num_queries):
    jobs = [make_job(tasks=n) for n in range(1, 6)]
    tally.fold()
    work_off(jobs[0])

    with django_assert_num_queries(1):
        rows = {row.pk: row.counted_completed for row in Job.objects.counted()}

    assert [rows[job.pk] for job in jobs] == [1, 2, 3, 4, 5]


def test_folding_reads_each_tally_once_though_the_planner_knew_of_few():
    job = make_job(tasks=1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_tally")
        cursor.execute(
            "INSERT INTO jobs_tally (job_id, total, completed, failed, cancelled, started, at)"
            " SELECT %s, 1, 0, 0, 0, false, now() FROM generate_series(1, 2000)",
            [job.pk],
        )
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {tally.FOLD}")
        plan = cursor.fetchone()[0][0]["Plan"]

    scans = [node for node in nodes(plan) if node.get("Relation Name") == "jobs_tally"]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in scans) <= 4 * 2001
