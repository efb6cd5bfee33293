"""Many tasks at once: all that are meant, none that are not, in one transaction."""

import re
from uuid import uuid4

import pytest
from django.db import connection

from events.models import Event
from jobs.models import Job, JobKind
from tasks import batches, reports, requirements, transitions
from tasks.batches import Cancelled, Draft
from tasks.fast_path import Outcome
from tasks.models import Task
from tasks.states import Status
from tests.factories import (
    fail_at_once,
    fresh,
    give,
    make_agent,
    make_chain,
    make_job,
    make_job_tasks,
    make_task,
    steps_of,
    sweeps,
    take,
    tasks_of,
)
from tests.tasks.verbs import last_line

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_batches(monkeypatch):
    """Two tasks in a statement, so that every verb needs several."""
    monkeypatch.setattr(batches, "BATCH", 2)


def of(job):
    return Task.objects.filter(job=job)


def statuses(job):
    return [task.status for task in tasks_of(job)]


def fail(task, **outcome):
    reports.report_in_transaction(
        [Outcome(task.pk, done=False, **outcome)], agent_id=None, by="tests"
    )


# Adding the tasks of a job.


def enqueue(job, drafts, **fields):
    told = {"priority": 0, "max_attempts": 3, "retry_delay_seconds": 0, "by": "operator"}
    return batches.enqueue_for_job(job.pk, sweeps(), drafts, **told | fields)


def drafts(number, **fields):
    return (Draft(f"task {n}", {"n": n}, **fields) for n in range(number))


@pytest.mark.parametrize("number", [0, 1, 7])
def test_tasks_of_a_job_are_added_in_the_order_given(small_batches, number):
    job = make_job()

    assert enqueue(job, drafts(number)) == number

    assert [task.payload["n"] for task in tasks_of(job)] == list(range(number))
    given = take(make_agent(), sweeps(), max_tasks=50)
    assert [task.payload["n"] for task in given] == list(range(number))


def test_the_order_is_kept_over_hundreds_and_several_statements(monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 200)
    job = make_job()

    assert enqueue(job, drafts(700)) == 700

    by_id = of(job).order_by("id").values_list("payload__n", flat=True)
    in_line = of(job).free().in_order().values_list("payload__n", flat=True)
    assert list(by_id) == list(in_line) == list(range(700))


def test_what_is_said_of_all_of_them_is_in_each():
    job = make_job()
    wanted = requirements.of({"algorithm": "PSO"})

    enqueue(
        job,
        drafts(2, requirement_id=wanted.pk),
        priority=7,
        max_attempts=5,
        retry_delay_seconds=9,
    )

    for n, task in enumerate(tasks_of(job)):
        assert (task.title, task.payload, task.requirement) == (f"task {n}", {"n": n}, wanted)
        assert (task.priority, task.max_attempts, task.retry_delay_seconds) == (7, 5, 9)
        assert (task.status, task.postponed, task.free) == (Status.QUEUED, False, True)
        assert last_line(task) == ("task.created", "operator", "")
    assert Event.objects.filter(type="task.created", job_id=str(job.pk)).count() == 2


def test_a_job_enqueued_later_is_behind_in_line_unless_it_is_more_urgent():
    first, second, urgent = (make_job() for _ in range(3))
    enqueue(second, drafts(1))
    enqueue(first, drafts(1))
    enqueue(urgent, drafts(1), priority=1)

    given = take(make_agent(), sweeps(), max_tasks=9)

    assert [task.job for task in given] == [urgent, second, first]


def failing(after):
    yield from drafts(after)
    raise ValueError("no such parameter")


def unknown_requirement():
    yield from drafts(5)
    yield Draft("task", {}, requirement_id=987654321)


def endless_text():
    yield from drafts(5)
    yield Draft("nul \0", {})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "some",
    [lambda: failing(0), lambda: failing(5), unknown_requirement, endless_text],
    ids=["at once", "in the middle", "requirement", "text"],
)
def test_a_draft_that_fails_leaves_nothing(small_batches, some):
    job = make_job(tasks=1)
    lines = Event.objects.count()

    with pytest.raises(Exception, match=r"parameter|requirement|NUL"):
        enqueue(job, some())

    assert of(job).count() == 1
    assert Job.objects.counted().get().counted_total == 1
    assert Event.objects.count() == lines


@pytest.mark.django_db(transaction=True)
def test_there_are_no_tasks_of_a_job_that_is_not_there():
    with pytest.raises(Exception, match="jobs_job"):
        enqueue(Job(pk=uuid4(), kind=JobKind.SWEEP), drafts(3))

    assert not Task.objects.exists()


# Cancelling.


def make_job_of_every_status():
    """queued, postponed, in progress, in progress and asked, done, failed, cancelled"""
    job = make_job(tasks=7)
    queued, postponed, held, asked, done, failed, cancelled = tasks_of(job)
    agent = make_agent("holder")
    for task in (held, asked, done, failed):
        transitions.assign(task.pk, agent.pk, by="tests")
    Task.objects.filter(pk=postponed.pk).update(postponed=True)
    transitions.cancel(asked.pk, by="tests")
    transitions.cancel(cancelled.pk, by="tests")
    reports.report_in_transaction([Outcome(done.pk, done=True, result=1)], agent_id=agent.pk, by="")
    fail(failed)
    assert queued.status == Status.QUEUED
    return job


def test_those_that_wait_are_cancelled_and_agents_are_asked_to_stop_the_others(small_batches):
    job = make_job_of_every_status()
    asked_before = tasks_of(job)[3].cancel_asked_at

    done = batches.cancel_all(of(job), by="operator", reason="wrong data")

    assert done == Cancelled(cancelled=2, asked=1)
    assert statuses(job) == [
        "cancelled", "cancelled", "in_progress", "in_progress", "done", "failed", "cancelled"
    ]  # fmt: skip
    queued, _, held, asked, *_ = tasks_of(job)
    assert queued.finished_at
    assert held.cancel_asked_at
    assert asked.cancel_asked_at == asked_before
    assert last_line(queued) == ("task.cancelled", "operator", "wrong data")
    assert take(make_agent(), sweeps()) == []


def test_asked_again_there_is_nothing_left_to_do():
    job = make_job_of_every_status()
    batches.cancel_all(of(job), by="operator")
    before = list(of(job).order_by("id").values())

    assert batches.cancel_all(of(job), by="operator") == Cancelled(0, 0)

    assert list(of(job).order_by("id").values()) == before


def test_only_what_is_meant_is_cancelled():
    job, other = make_job(tasks=2), make_job(tasks=2)
    alone = make_task()

    batches.cancel_all(of(job).filter(pk__gt=tasks_of(job)[0].pk), by="operator")

    assert statuses(job) == ["queued", "cancelled"]
    assert statuses(other) == ["queued", "queued"]
    assert fresh(alone).status == Status.QUEUED


def test_steps_of_chains_are_left_alone():
    chain = make_chain(tasks=2)
    running = give(make_agent(), chain.channel)

    assert batches.cancel_all(Task.objects.all(), by="operator") == Cancelled(0, 0)
    fail(running)
    assert batches.requeue_all(Task.objects.all(), by="operator") == 0

    assert [task.status for task in steps_of(chain)] == ["failed", "queued"]


# Requeueing.


def test_those_that_failed_are_tried_again_in_their_old_place(small_batches):
    job = make_job_of_every_status()
    first = tasks_of(job)[5]
    make_job_tasks(job, 5)
    agent = make_agent()
    for task in take(agent, sweeps(), max_tasks=9)[1:]:
        fail(task, reason="broken")
    failed = list(of(job).failed())

    assert batches.requeue_all(of(job), by="operator", reason="mended") == len(failed) == 6

    assert not of(job).failed().exists()
    assert statuses(job)[2:5] == ["in_progress", "in_progress", "done"]
    task = fresh(first)
    assert (task.attempts, task.losses, task.agent, task.finished_at) == (0, 0, None, None)
    assert (task.fail_reason, task.dead_letter, task.cancel_asked_at) == ("", "", None)
    assert task.lease_epoch == 1
    assert last_line(task) == ("task.requeued", "operator", "mended")
    assert take(agent, sweeps(), max_tasks=9) == failed


def test_requeued_tasks_forget_who_refused_them_and_keep_what_they_want(small_batches):
    job = make_job(max_attempts=1)
    wanted = requirements.of({"algorithm": "PSO"})
    plain = make_job_tasks(job, 3, max_attempts=1)
    wanting = make_job_tasks(job, 3, max_attempts=1, wants=wanted.wants)
    for name in ("first", "second"):
        agent = make_agent(name)
        for task in take(agent, sweeps(), max_tasks=2):
            reports.refuse(task.pk, agent_id=name)
    for task in take(make_agent("third"), sweeps(), max_tasks=2):
        fail(task)
    assert statuses(job) == ["failed"] * 6

    assert batches.requeue_all(of(job), by="operator") == 6

    assert {fresh(task).requirement for task in plain} == {None}
    assert {fresh(task).requirement for task in wanting} == {wanted}
    assert take(make_agent("first"), sweeps(), max_tasks=9) == [*plain, *wanting]


def test_a_late_report_of_a_requeued_task_is_no_outcome_of_its_next_life():
    job = make_job(tasks=1)
    agent = make_agent()
    task = give(agent, sweeps())
    reports.report_in_transaction([Outcome(task.pk, done=False)], agent_id=agent.pk, by="")
    batches.requeue_all(of(job), by="operator")

    answers, _ = reports.report_in_transaction(
        [Outcome(task.pk, done=True, epoch=1)], agent_id=agent.pk, by=""
    )

    assert answers[0].problem
    assert fresh(task).status == Status.QUEUED


@pytest.mark.parametrize("verb", [batches.cancel_all, batches.requeue_all])
def test_it_is_a_few_statements_however_many_tasks(verb, django_assert_max_num_queries):
    job = make_job(tasks=100)
    if verb is batches.requeue_all:
        fail_at_once(of(job))

    with django_assert_max_num_queries(9, connection=connection):
        verb(of(job), by="operator")

    assert of(job).open().count() == (100 if verb is batches.requeue_all else 0)


# What a large statement costs.


def test_no_trigger_compares_each_old_row_with_each_new_one():
    """A trigger keeps the plan of its first run, mostly for one row; an inner join by that plan
    would compare each row of a large statement with each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE tgrelid = 'tasks_task'::regclass AND tgoldtable IS NOT NULL"
            " AND tgnewtable IS NOT NULL"
        )
        sources = [source for (source,) in cursor.fetchall()]

    joins = re.findall(r"(\S+) JOIN (?:old|new)_rows", " ".join(sources))
    assert set(joins) <= {"FULL"}
