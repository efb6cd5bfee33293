"""`manage.py purge` removes old finished tasks, chains and jobs, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from chains import retention as old_chains
from chains import transitions as chains
from chains.models import Chain
from events.models import Event
from jobs import transitions
from jobs.exceptions import JobRuns
from jobs.models import Job, Tally
from jobs.tally import fold
from tasks import reports, retention
from tasks import transitions as tasks
from tasks.models import Attempt, Task, TaskInput
from tasks.rows import Outcome
from tests.factories import (
    give,
    make_agent,
    make_chain,
    make_held_task,
    make_job,
    make_task,
    steps_of,
    tasks_of,
)

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(days=40)


def run(*args):
    out = StringIO()
    call_command("purge", *args, stdout=out)
    return out.getvalue()


def report(task, *, done=True):
    reports.report_in_transaction([Outcome(task.pk, done)], agent_id=task.agent_id, by="")


def age(*finished, by=LONG_AGO):
    Task.objects.filter(pk__in=[task.pk for task in finished]).update(finished_at=Now() - by)


def make_finished(*, done=True, ago=LONG_AGO, **fields):
    """A task without a chain that ended `ago`."""
    task = make_held_task(**fields)
    report(task, done=done)
    age(task, by=ago)
    return task


def make_finished_chain(*, ago=LONG_AGO, released=True):
    """A chain of two tasks, of which the first ended `ago` and the second a day after."""
    chain = make_chain(tasks=2)
    agent = make_agent()
    for _ in range(2):
        report(give(agent, chain.channel))
    first, second = steps_of(chain)
    age(first, by=ago)
    age(second, by=ago - timedelta(days=1))
    if released:
        chains.release(chain.pk, by="tests")
    return chain


def make_finished_job(*, ago=LONG_AGO):
    job = make_job(tasks=3)
    for task in tasks_of(job):
        tasks.cancel(task.pk, by="operator")
    fold()
    Job.objects.filter(pk=job.pk).update(finished_at=Now() - ago)
    return job


def test_old_finished_tasks_are_deleted_with_attempts_and_inputs():
    old = make_finished(done=False)
    Attempt.objects.get(task=old)
    young = make_finished(ago=timedelta(days=29))
    waiting = make_task()

    assert run("--tasks", "30") == "Removed 1 finished tasks and 0 finished chains.\n"

    assert set(Task.objects.all()) == {young, waiting}
    assert not Attempt.objects.filter(task=old.pk).exists()
    gone = Event.objects.get(type="task.deleted")
    assert (gone.task_id, gone.reason) == (str(old.pk), "purge")
    assert gone.actor.startswith("command:")


def test_inputs_go_with_their_task():
    task = make_held_task(make_agent("agent-1"))
    TaskInput.objects.create(task=task, agent_id="agent-1", text="hello")
    report(task)
    age(task)

    run("--tasks", "30")

    assert not TaskInput.objects.exists()


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 100])
def test_batches_of_any_size_leave_nothing_behind(batch):
    for days in range(3):
        make_finished(ago=LONG_AGO + timedelta(days=days))
    kept = make_task()

    assert retention.purge(timezone.now(), by="tests", batch=batch).gone == 3
    assert list(Task.objects.all()) == [kept]


def test_a_whole_chain_is_deleted_once_its_last_task_is_too_old():
    chain = make_finished_chain(ago=timedelta(days=30, hours=1))

    assert run("--tasks", "30") == "Removed 0 finished tasks and 0 finished chains.\n"
    assert run("--tasks", "29") == "Removed 0 finished tasks and 1 finished chains.\n"

    assert not Chain.objects.filter(pk=chain.pk).exists()
    assert not Task.objects.exists()
    assert Event.objects.get(type="chain.deleted").reason == "purge"


def test_a_chain_that_is_owned_open_or_empty_stays():
    owned = make_finished_chain(released=False)
    open_ = make_finished_chain()
    make_task(chain=open_)
    empty = make_chain()

    assert old_chains.purge(timezone.now(), by="tests").gone == 0
    assert set(Chain.objects.all()) == {owned, open_, empty}


def test_a_whole_job_is_deleted_with_its_tasks_and_tallies():
    old, young = make_finished_job(), make_finished_job(ago=timedelta(days=1))
    make_job(tasks=1)

    assert run("--jobs", "30") == "Removed 1 finished jobs with 3 tasks.\n"

    assert not Job.objects.filter(pk=old.pk).exists()
    assert Task.objects.filter(job=young).count() == 3
    assert not Task.objects.filter(job=old.pk).exists()
    assert not Tally.objects.filter(job=old.pk).exists()


def test_a_job_opened_again_stays():
    job = make_finished_job()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no trigger objects
        task = Task.objects.filter(pk=tasks_of(job)[0].pk)
        task.update(status="queued", finished_at=None, agent=None)

    with pytest.raises(JobRuns):
        transitions.delete(job.pk, by="tests")
    assert run("--jobs", "30") == "Removed 0 finished jobs with 0 tasks.\n"

    assert Task.objects.filter(job=job).count() == 3


def test_tasks_of_jobs_and_chains_do_not_go_alone():
    make_finished_job()
    chain = make_finished_chain(released=False)

    assert run("--tasks", "1") == "Removed 0 finished tasks and 0 finished chains.\n"
    assert len(steps_of(chain)) == 2


def test_a_dry_run_counts_and_removes_nothing():
    make_finished()
    make_finished_chain()
    make_finished_job()

    output = run("--tasks", "30", "--jobs", "30", "--dry-run")

    assert output.splitlines() == [
        "Would remove 1 finished tasks and 1 finished chains.",
        "Would remove 1 finished jobs with 3 tasks.",
    ]
    assert Task.objects.count() == 6


def test_without_options_only_events_go():
    make_finished()

    assert run().startswith("Removed 0 events and 0 used keys")
    assert Task.objects.count() == 1


@pytest.mark.parametrize(
    ("option", "days"),
    [
        ("--tasks", "0"),
        ("--jobs", "0"),
        ("--events", "-1"),
        ("--days", "800000"),
        ("--tasks", "999999999"),
        ("--jobs", "3000000"),
        ("--jobs", "9" * 4_000),
    ],
)
def test_days_out_of_bounds_are_refused(option, days):
    with pytest.raises(CommandError, match=r"must be from [01] to 36500\.$"):
        run(f"{option}={days}")


@contextmanager
def locked(row):
    """This row, locked in psql by somebody who has gone to lunch; the purge runs beside."""
    with transaction.atomic():
        assert type(row).objects.filter(pk=row.pk).select_for_update().exists()
        with ThreadPoolExecutor(1) as pool:
            yield lambda *args: pool.submit(run_impatiently, *args).result(timeout=60)


def run_impatiently(*args):
    """Run the command on a connection of its own that waits for no lock for long."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '300ms'")
        return run(*args)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["task", "attempt"])
def test_a_locked_task_is_left_and_the_others_go(place):
    busy, other = make_finished(done=False), make_finished(done=False)
    chain = make_finished_chain()

    with locked(busy if place == "task" else Attempt.objects.get(task=busy)) as run_beside:
        output = run_beside("--tasks", "30")

    assert output == (
        "Removed 1 finished tasks and 1 finished chains."
        " 1 tasks and 0 chains that others have locked stay for the next time.\n"
    )
    assert list(Task.objects.all()) == [busy]
    assert not Task.objects.filter(pk=other.pk).exists()
    assert not Chain.objects.filter(pk=chain.pk).exists()
    assert run("--tasks", "30") == "Removed 1 finished tasks and 0 finished chains.\n"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", [lambda chain: chain, lambda chain: steps_of(chain)[1]])
def test_a_locked_chain_is_left_and_the_others_go_with_the_jobs(place):
    busy, other = make_finished_chain(), make_finished_chain()
    make_finished_job()

    with locked(place(busy)) as run_beside:
        output = run_beside("--tasks", "30", "--jobs", "30")

    assert output.splitlines() == [
        "Removed 0 finished tasks and 1 finished chains."
        " 0 tasks and 1 chains that others have locked stay for the next time.",
        "Removed 1 finished jobs with 3 tasks.",
    ]
    assert list(Chain.objects.all()) == [busy]
    assert not Chain.objects.filter(pk=other.pk).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", [lambda job: job, lambda job: tasks_of(job)[2]])
def test_a_locked_job_is_left_and_the_others_go(place):
    busy, _ = make_finished_job(), make_finished_job()

    with locked(place(busy)) as run_beside:
        output = run_beside("--jobs", "30")

    assert output == (
        "Removed 1 finished jobs with 3 tasks."
        " 1 jobs that others have locked stay for the next time.\n"
    )
    assert list(Job.objects.all()) == [busy]
    assert Task.objects.filter(job=busy).count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_job_that_another_verb_is_at_is_left():
    busy = make_finished_job()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        transitions.lock(busy.pk)
        output = pool.submit(run_impatiently, "--jobs", "30").result(timeout=60)

    assert output.startswith("Removed 0 finished jobs with 0 tasks. 1 jobs")


@pytest.mark.django_db(transaction=True)
def test_a_locked_table_does_not_keep_the_other_options_from_theirs():
    make_finished_job()

    with transaction.atomic(), connection.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute("LOCK TABLE chains_chain")
        purging = pool.submit(run_impatiently, "--tasks", "30", "--jobs", "30")
        output = purging.result(timeout=60)

    assert output.splitlines() == [
        "Others hold what the purge of tasks needs: try again later.",
        "Removed 1 finished jobs with 3 tasks.",
    ]
