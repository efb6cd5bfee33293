"""What a job counts is true after whatever changed its tasks, before and after it is folded in."""

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from events.models import Event
from jobs import tally
from jobs.models import Job, Tally
from tasks import batches, choosy, dead_letters, fastlane, holds, reports, transitions
from tasks.fastlane import Outcome
from tasks.models import Task
from tests.factories import (
    counted,
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_job,
    make_job_tasks,
    make_task,
    recounted,
    silence,
    sweeps,
    take,
    tasks_of,
)

pytestmark = pytest.mark.django_db


def of(job):
    return Task.objects.filter(job=job)


def seen(job):
    """The job as it counts now; folding its tallies in must make no difference."""
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


def lines(job):
    about = Event.objects.filter(type__startswith="job.", job_id=str(job.pk)).order_by("id")
    return list(about.values_list("type", flat=True))


# Everything that changes a task of three, the first of which an agent holds.


def complete(task):
    assert fastlane.run("a", outcomes=[Outcome(task.pk, done=True)]).served


def complete_the_slow_way(task):
    reports.report([Outcome(task.pk, done=True)], agent_id="a", by="")


def complete_and_claim(task):
    assert fastlane.run("a", outcomes=[Outcome(task.pk, done=True)], channel=sweeps().pk).served


def fail(task):
    assert fastlane.run("a", outcomes=[Outcome(task.pk, done=False)]).served


def fail_all_it_may(task):
    for _ in range(3):
        if fresh(task).status == "queued":
            give(make_agent("a"), sweeps())
        outcome = Outcome(task.pk, done=False, retriable=True)
        reports.report([outcome], agent_id="a", by="")


def retry(task):
    reports.report([Outcome(task.pk, done=False, retriable=True)], agent_id="a", by="")


def expire(task):
    let_lease_run_out(task)
    holds.expire_leases()


def expire_for_good(task):
    Task.objects.filter(pk=task.pk).update(attempts=2)
    expire(task)


def lose(task):
    silence(task.agent)
    holds.release_lost()


def complete_late(task):
    lose(task)
    complete_the_slow_way(task)


def refuse(task):
    reports.refuse(task.pk, agent_id="a")


def refuse_for_good(task):
    Task.objects.filter(pk=task.pk).update(max_attempts=1)
    refuse(task)


def cancel(task):
    for _ in range(2):
        transitions.cancel(task.pk, by="operator")


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
            "UPDATE tasks_task SET status = 'failed', dead_letter = 'exhausted',"
            " finished_at = now(), lease_expires_at = NULL WHERE job_id = %s",
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
        (write_by_hand, (3, 0, 3, 0)),
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


@pytest.mark.parametrize("way", ["fast", "slow", "choosy"])
def test_the_first_claim_starts_the_job_and_nothing_takes_that_back(way):
    job = make_job(tasks=2)
    assert (seen(job).status, seen(job).started_at) == ("PENDING", None)

    if way == "slow":
        take(make_agent("a"), sweeps())
    elif way == "choosy":
        choosy.claim("a", channel=sweeps().pk)
    else:
        fastlane.run("a", channel=sweeps().pk)

    started = seen(job).started_at
    assert (seen(job).status, started is None) == ("RUNNING", False)
    retry(of(job).in_progress().get())
    assert (seen(job).status, seen(job).started_at) == ("RUNNING", started)
    give(make_agent("a"), sweeps())
    assert (seen(job).status, seen(job).started_at) == ("RUNNING", started)
    assert lines(job) == ["job.created", "job.started"]


def test_a_claim_by_hand_starts_the_job_too():
    job = make_job(tasks=2)

    transitions.assign(tasks_of(job)[1].pk, make_agent().pk, by="operator")

    assert seen(job).status == "RUNNING"


# The status that follows.


@pytest.mark.parametrize(
    ("counts", "started", "asked", "status"),
    [
        ((0, 0, 0, 0), False, False, "PENDING"),
        ((3, 0, 0, 0), False, False, "PENDING"),
        ((3, 0, 0, 0), False, True, "PENDING"),
        ((3, 0, 0, 0), True, False, "RUNNING"),
        ((3, 0, 0, 1), False, False, "RUNNING"),
        ((3, 1, 1, 0), True, False, "RUNNING"),
        ((3, 1, 1, 0), True, True, "RUNNING"),
        ((3, 3, 0, 0), True, False, "COMPLETED"),
        ((3, 1, 2, 0), True, False, "COMPLETED"),
        ((3, 1, 0, 2), True, False, "COMPLETED"),
        ((3, 0, 3, 0), True, False, "FAILED"),
        ((3, 0, 1, 2), True, False, "FAILED"),
        ((3, 0, 0, 3), False, False, "CANCELLED"),
        ((3, 0, 0, 3), False, True, "CANCELLED"),
        ((3, 2, 1, 0), True, True, "CANCELLED"),
        ((3, 3, 0, 0), True, True, "CANCELLED"),
        ((0, 0, 0, 0), True, False, "FAILED"),
        ((0, 0, 0, 0), True, True, "CANCELLED"),
    ],
)
def test_the_status_follows_from_the_counts(counts, started, asked, status):
    with connection.cursor() as cursor:
        cursor.execute("SELECT jobs_status(%s, %s, %s, %s, %s, %s)", [*counts, started, asked])

        assert cursor.fetchone() == (status,)


def work_off(job, *, failing=False):
    agent = make_agent("a")
    while tasks := take(agent, sweeps(), max_tasks=9):
        for task in tasks:
            fail(task) if failing else complete(task)


def test_a_job_ends_with_its_last_task_and_a_requeue_takes_its_count_back():
    job = make_job(tasks=2)
    give(make_agent("a"), sweeps())
    complete(tasks_of(job)[0])
    give(make_agent("a"), sweeps())
    assert seen(job).finished_at is None
    fail(tasks_of(job)[1])

    ended = seen(job)
    assert (ended.status, counted(job)) == ("COMPLETED", (2, 1, 1, 0))
    assert ended.created_at <= ended.started_at <= ended.finished_at

    batches.requeue_all(of(job), by="operator")
    assert (seen(job).status, seen(job).finished_at) == ("RUNNING", None)
    assert counted(job) == (2, 1, 0, 0)

    work_off(job)
    again = seen(job)
    assert (again.status, counted(job)) == ("COMPLETED", (2, 2, 0, 0))
    assert (again.started_at, again.finished_at > ended.finished_at) == (ended.started_at, True)


def test_the_journal_tells_each_change_of_the_jobs_status_once():
    job = make_job(tasks=3)
    for _ in range(2):
        give(make_agent("a"), sweeps())
        fail(of(job).in_progress().get())
        tally.fold()
        tally.fold()
    work_off(job, failing=True)
    tally.fold()
    batches.requeue_all(of(job), by="operator")
    tally.fold()
    work_off(job)
    tally.fold()

    assert lines(job) == [
        "job.created", "job.started", "job.failed", "job.reopened", "job.completed"
    ]  # fmt: skip
    last = Event.objects.filter(type="job.completed").get()
    assert last.payload == {
        "from": "RUNNING", "to": "COMPLETED", "total": 3, "completed": 3, "failed": 0,
        "cancelled": 0,
    }  # fmt: skip
    assert (last.actor, last.source) == ("coordinator", "coordinator")


def test_a_job_that_was_done_between_two_folds_is_told_of_once():
    job = make_job(tasks=1)
    work_off(job)

    seen(job)

    assert lines(job) == ["job.created", "job.completed"]


def test_a_job_all_of_whose_tasks_were_cancelled_is_cancelled():
    job = make_job(tasks=2)

    batches.cancel_all(of(job), by="operator")

    assert (seen(job).status, seen(job).started_at) == ("CANCELLED", None)
    assert seen(job).finished_at
    assert lines(job) == ["job.created", "job.cancelled"]


def test_a_failed_job_whose_dead_letters_were_purged_stays_failed():
    job = make_job(tasks=2)
    work_off(job, failing=True)
    assert seen(job).status == "FAILED"

    dead_letters.every(dead_letters.purge, of(job).failed(), by="operator", reason="")

    assert (seen(job).status, counted(job)) == ("FAILED", (0, 0, 0, 0))
    assert seen(job).finished_at
    assert "job.reopened" not in lines(job)


def test_a_job_that_never_began_and_lost_its_tasks_is_not_over():
    job = make_job(tasks=2)

    of(job).delete()

    assert (seen(job).status, seen(job).finished_at) == ("PENDING", None)


# Folding.


def test_folding_says_how_many_tallies_there_were(monkeypatch):
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


def test_what_changes_no_count_leaves_no_tally():
    job = make_job(tasks=2)
    alone = make_task()
    task = give(make_agent("a"), sweeps())
    tally.fold()

    Task.objects.update(priority=F("priority") + 1)
    holds.renew(task.pk, agent_id="a", lease_seconds=60)
    retry(task)
    give(make_agent("a"), sweeps())
    take(make_agent("a"), alone.channel)
    complete(alone)

    assert not Tally.objects.exists()
    assert seen(job).status == "RUNNING"


def test_one_statement_is_one_tally_for_each_job_however_many_tasks():
    jobs = [make_job(tasks=4) for _ in range(2)]
    tasks = take(make_agent("a"), sweeps(), max_tasks=8)
    tally.fold()

    outcomes = [Outcome(task.pk, done=True) for task in tasks]
    assert fastlane.run("a", outcomes=outcomes).served

    assert list(Tally.objects.order_by("job").values_list("job", "completed")) == [
        (job.pk, 4) for job in jobs
    ]


def test_a_deleted_job_takes_its_tasks_along_and_leaves_no_tally():
    job, other = make_job(tasks=2), make_job(tasks=1)
    tally.fold()
    give(make_agent("a"), sweeps())

    Job.objects.filter(pk=job.pk).delete()
    tally.fold()

    assert list(Job.objects.all()) == [other]
    assert not Tally.objects.exists()
    assert {task.job for task in Task.objects.all()} == {other}
    assert seen(other).total == 1


def test_what_was_rolled_back_was_never_counted():
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
