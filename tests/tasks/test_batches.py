"""Verbs for many tasks at once change all tasks meant and no others, in one transaction."""

import re
from uuid import uuid4

import pytest
from django.db import connection

from events.models import Event
from jobs.models import Job, JobKind
from tasks import batches, reports, requirements, transitions
from tasks.batches import Cancelled, Draft
from tasks.exceptions import WrongStatus
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
from tests.tasks.reporting import complete, fail
from tests.tasks.verbs import last_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_batches(monkeypatch):
    """Two tasks per statement, so that every verb needs several statements."""
    monkeypatch.setattr(batches, "BATCH", 2)


def of(job):
    return Task.objects.filter(job=job)


def statuses(job):
    return [task.status for task in tasks_of(job)]


# Enqueueing the tasks of a job.


def enqueue(job, drafts, **fields):
    defaults = {"priority": 0, "max_attempts": 3, "retry_delay_seconds": 0, "by": "operator"}
    return batches.enqueue_for_job(job.pk, sweeps(), drafts, **defaults | fields)


def drafts(number, **fields):
    return (Draft(f"task {n}", {"n": n}, **fields) for n in range(number))


@pytest.mark.parametrize("number", [0, 1, 7])
def test_tasks_of_a_job_are_enqueued_in_the_order_given(small_batches, number):
    job = make_job()

    assert enqueue(job, drafts(number)) == number

    assert [task.payload["n"] for task in tasks_of(job)] == list(range(number))
    given = take(make_agent(), sweeps(), max_tasks=50)
    assert [task.payload["n"] for task in given] == list(range(number))


def test_the_order_is_kept_across_several_statements(monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 200)
    job = make_job()

    assert enqueue(job, drafts(700)) == 700

    by_id = of(job).order_by("id").values_list("payload__n", flat=True)
    in_queue = of(job).free().in_order().values_list("payload__n", flat=True)
    assert list(by_id) == list(in_queue) == list(range(700))


def test_the_values_common_to_all_tasks_are_in_each():
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
        assert last_event(task) == ("task.created", "operator", "")
    assert Event.objects.filter(type="task.created", job_id=str(job.pk)).count() == 2


def test_jobs_are_queued_by_priority_then_in_the_order_they_were_enqueued():
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
def test_nothing_is_enqueued_when_a_draft_fails(small_batches, some):
    job = make_job(tasks=1)
    events = Event.objects.count()

    with pytest.raises(Exception, match=r"parameter|requirement|NUL"):
        enqueue(job, some())

    assert of(job).count() == 1
    assert Job.objects.counted().get().counted_total == 1
    assert Event.objects.count() == events


@pytest.mark.django_db(transaction=True)
def test_no_task_is_enqueued_for_an_unknown_job():
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
    complete(done, by=agent, result=1)
    fail(failed)
    assert queued.status == Status.QUEUED
    return job


def test_waiting_tasks_are_cancelled_and_agents_are_asked_to_stop_the_others(small_batches):
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
    assert last_event(queued) == ("task.cancelled", "operator", "wrong data")
    assert take(make_agent(), sweeps()) == []


def test_cancelling_again_changes_nothing():
    job = make_job_of_every_status()
    batches.cancel_all(of(job), by="operator")
    before = list(of(job).order_by("id").values())

    assert batches.cancel_all(of(job), by="operator") == Cancelled(0, 0)

    assert list(of(job).order_by("id").values()) == before


def test_only_the_tasks_given_are_cancelled():
    job, other = make_job(tasks=2), make_job(tasks=2)
    alone = make_task()

    batches.cancel_all(of(job).filter(pk__gt=tasks_of(job)[0].pk), by="operator")

    assert statuses(job) == ["queued", "cancelled"]
    assert statuses(other) == ["queued", "queued"]
    assert fresh(alone).status == Status.QUEUED


def test_steps_of_chains_are_not_changed():
    chain = make_chain(tasks=2)
    running = give(make_agent(), chain.channel)

    assert batches.cancel_all(Task.objects.all(), by="operator") == Cancelled(0, 0)
    fail(running)
    assert batches.requeue_all(Task.objects.all(), by="operator") == 0

    assert [task.status for task in steps_of(chain)] == ["failed", "queued"]


# Requeueing.


def test_failed_tasks_are_requeued_at_their_old_position(small_batches):
    job = make_job_of_every_status()
    first = tasks_of(job)[5]
    make_job_tasks(job, 5)
    agent = make_agent()
    for task in take(agent, sweeps(), max_tasks=9)[1:]:
        fail(task, reason="broken")
    failed = list(of(job).failed())

    assert batches.requeue_all(of(job), by="operator", reason="repaired") == len(failed) == 6

    assert not of(job).failed().exists()
    assert statuses(job)[2:5] == ["in_progress", "in_progress", "done"]
    task = fresh(first)
    assert (task.attempts, task.losses, task.agent, task.finished_at) == (0, 0, None, None)
    assert (task.fail_reason, task.dead_letter, task.cancel_asked_at) == ("", "", None)
    assert task.lease_epoch == 1
    assert last_event(task) == ("task.requeued", "operator", "repaired")
    assert take(agent, sweeps(), max_tasks=9) == failed


def test_requeued_tasks_forget_their_refusals_and_keep_their_requirements(small_batches):
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


def test_a_late_report_does_not_end_a_requeued_task():
    job = make_job(tasks=1)
    agent = make_agent()
    task = give(agent, sweeps())
    fail(task, by=agent)
    batches.requeue_all(of(job), by="operator")

    assert complete(task, by=agent, epoch=1) == WrongStatus

    assert fresh(task).status == Status.QUEUED


@pytest.mark.parametrize("verb", [batches.cancel_all, batches.requeue_all])
def test_a_verb_needs_a_few_statements_for_any_number_of_tasks(verb, django_assert_max_num_queries):
    job = make_job(tasks=100)
    if verb is batches.requeue_all:
        fail_at_once(of(job))

    with django_assert_max_num_queries(9, connection=connection):
        verb(of(job), by="operator")

    assert of(job).open().count() == (100 if verb is batches.requeue_all else 0)


def test_no_trigger_joins_many_old_rows_with_new_ones():
    """A trigger keeps the plan of its first run, mostly for one row; an inner join by that plan
    would compare each row of a large statement with each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE tgrelid = 'tasks_task'::regclass AND tgoldtable IS NOT NULL"
            " AND tgnewtable IS NOT NULL"
        )
        sources = " ".join(source for (source,) in cursor.fetchall())

    for_few = r"IF \(SELECT count\(\*\) FROM new_rows\) <= 50 THEN.*?; ELSE"
    for_many, guarded = re.subn(for_few, "", sources, flags=re.DOTALL)
    joins = re.findall(r"(\S+) JOIN (?:old|new)_rows", for_many)
    assert guarded == 1
    assert set(joins) == {"FULL"}
