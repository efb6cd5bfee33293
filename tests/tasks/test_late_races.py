"""Late reports, releases and restarts at once with those who take the tasks on."""

from contextlib import suppress

import pytest
from django.db.models import F

from agents.exceptions import AgentReplaced
from problems import Problem
from tasks import leases, releases, reports, transitions
from tasks.models import Attempt, Task
from tasks.rows import Outcome
from tasks.states import Status
from tests.factories import make_agent, make_channel, make_tasks, take
from tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 30


@pytest.fixture
def agent():
    return make_agent("first")


@pytest.fixture
def held(agent):
    """Tasks that the agent holds, each on its last attempt."""
    channel = make_channel()
    make_tasks(MANY, channel=channel, max_attempts=1)
    tasks = take(agent, channel, max_tasks=MANY, lease_seconds=60)
    leases.hear(agent.pk, {task.pk: None for task in tasks})
    return tasks


def let_leases_run_out():
    Task.objects.update(lease_expires_at=F("claimed_at"))


def completed(tasks):
    """Complete each; the ids of those whose result was accepted."""
    verdicts = {
        task.pk: reports.report_one(
            Outcome(task.pk, True, 7, epoch=1), agent_id="first", by=""
        ).verdict
        for task in tasks
    }
    return {pk for pk, verdict in verdicts.items() if verdict == "accepted"}


def done(verb, tasks):
    """Use the verb on each; the ids of those that it was not refused for."""
    through = set()
    for task in tasks:
        try:
            verb(task.pk)
        except Problem:
            continue
        through.add(task.pk)
    return through


def results():
    return set(Task.objects.done().filter(result=7).values_list("pk", flat=True))


def test_a_late_result_and_a_requeue_at_once_do_not_both_count(held):
    let_leases_run_out()
    assert len(leases.expire_leases().failed) == MANY

    accepted, requeued = at_once(
        lambda: completed(held),
        lambda: done(lambda pk: transitions.requeue(pk, by="operator"), reversed(held)),
    )

    assert accepted == results()
    assert requeued == set(Task.objects.queued().values_list("pk", flat=True))
    assert len(accepted) + len(requeued) == MANY


def test_a_result_and_the_reaper_at_once_lose_nothing(held):
    let_leases_run_out()

    accepted, *_ = at_once(lambda: completed(held), leases.expire_leases, leases.expire_leases)

    assert accepted == results() == {task.pk for task in held}
    assert not Task.objects.dead_letters().exists()


def test_a_result_and_a_release_at_once_do_not_both_count(held):
    accepted, released = at_once(
        lambda: completed(held),
        lambda: done(lambda pk: releases.release(pk, agent_id="first", epoch=1), reversed(held)),
    )

    assert accepted == results()
    assert released == set(Task.objects.queued().values_list("pk", flat=True))
    assert len(accepted) + len(released) == MANY
    assert Attempt.objects.filter(outcome="released").count() == len(released)


def recognized(incarnation):
    with suppress(AgentReplaced):  # where another came in between
        releases.recognize("first", incarnation)


def test_of_two_new_processes_at_once_one_is_replaced_and_all_is_freed_once(agent, held):
    releases.recognize("first", "old")

    at_once(
        lambda: recognized("one"),
        lambda: recognized("two"),
        lambda: recognized("one"),
    )

    agent.refresh_from_db()
    assert agent.incarnation in {"one", "two"}
    assert Task.objects.queued().count() == MANY
    assert Attempt.objects.count() == MANY
    with pytest.raises(AgentReplaced):
        releases.recognize("first", "old")


def test_a_late_result_and_a_claim_at_once_do_not_both_count(agent, held):
    other = make_agent("other")
    Task.objects.update(max_attempts=3)
    let_leases_run_out()
    assert len(leases.expire_leases().retried) == MANY

    accepted, taken = at_once(
        lambda: completed(held), lambda: take(other, held[0].channel, max_tasks=MANY)
    )

    assert accepted == results()
    assert {task.pk for task in taken} | accepted == {task.pk for task in held}
    assert not {task.pk for task in taken} & accepted
    assert Task.objects.held_by("other").filter(status=Status.IN_PROGRESS).count() == len(taken)
