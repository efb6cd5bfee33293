"""Concurrent verbs on a real PostgreSQL. A deadlock would raise."""

from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction

from agents import transitions as agents
from agents.transitions import Beat
from events.models import Event
from tasks import claims, leases, reports, transitions
from tasks.exceptions import WrongStatus
from tasks.models import Attempt, ClaimKey, Task
from tasks.rows import ClaimRequest, Outcome
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_task,
    make_tasks,
    run_fast,
    silence,
    take,
)
from tests.racing import at_once
from tests.tasks.paths import both_paths
from tests.tasks.reporting import complete, report

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 15


@both_paths
@pytest.mark.parametrize("max_tasks", [1, 3])
def test_agents_never_claim_the_same_task(claim, max_tasks):
    channel = make_channel()
    tasks = make_tasks(60, channel=channel)
    everybody = [make_agent() for _ in range(8)]

    def claim_all(agent):
        claimed = []
        while Task.objects.queued().exists():
            claimed += claim(agent.pk, channel, max_tasks=max_tasks)
        return claimed

    shares = at_once(*[partial(claim_all, agent) for agent in everybody])

    assert sorted(pk for share in shares for pk in share) == [task.pk for task in tasks]
    assert set(Task.objects.values_list("lease_epoch", flat=True)) == {1}


@pytest.mark.parametrize("busy", [3, 30, 200])
def test_a_batch_is_filled_up_from_behind_what_others_are_taking(busy):
    channel = make_channel()
    tasks = [task.pk for task in make_tasks(busy + 12, channel=channel)]
    held = make_held_task(agent := make_agent("a"))
    outcomes = [Outcome(held.pk, done=True)]

    with transaction.atomic():
        list(Task.objects.filter(pk__in=tasks[:busy]).lock())
        report = partial(run_fast, agent.pk, outcomes, channel=channel.pk, max_tasks=10)
        [result] = at_once(report)

    assert [task.id for task in result.tasks] == tasks[busy:][:10]
    assert fresh(held).status == Status.DONE


def test_a_claim_that_finds_every_task_taken_by_others_gets_none_and_waits_for_nobody():
    channel = make_channel()
    tasks, agent = make_tasks(20, channel=channel), make_agent()

    with transaction.atomic():
        list(Task.objects.filter(pk__in=[task.pk for task in tasks]).lock())
        [claimed] = at_once(partial(take, agent, channel, max_tasks=3))

    assert claimed == []


def test_concurrent_claims_with_the_same_key_get_the_same_tasks():
    channel = make_channel()
    make_tasks(4 * ROUNDS, channel=channel)
    agent = make_agent()

    for n in range(ROUNDS):
        request = ClaimRequest(agent_id=agent.pk, ids=[channel.pk], max_tasks=2, key=str(n))
        first, second = at_once(*[partial(claims.claim, request)] * 2)
        assert first == second

    assert Task.objects.in_progress().count() == 2 * ROUNDS
    assert ClaimKey.objects.count() == ROUNDS


def test_concurrent_batches_with_the_same_keys_make_each_task_once():
    channel = make_channel()

    def enqueue(keys):
        new = [Task(channel=channel, title="t", idempotency_key=key) for key in keys]
        return transitions.enqueue(new, by="tests")

    for n in range(ROUNDS):
        keys = [f"{n}.{m}" for m in range(30)]
        one, other = at_once(partial(enqueue, keys), partial(enqueue, keys[::-1]))
        assert one == other[::-1]
        assert Task.objects.count() == 30 * (n + 1)


def test_concurrent_batches_for_a_chain_get_unique_sequences():
    chain = make_chain()

    at_once(*[partial(make_tasks, 3, chain=chain) for _ in range(8)])

    sequences = Task.objects.filter(chain=chain).order_by("sequence")
    assert list(sequences.values_list("sequence", flat=True)) == list(range(1, 25))
    assert [task.sequence for task in Task.objects.with_turn()] == [1]


@pytest.mark.parametrize("kind", ["alone", "in a chain"])
def test_a_task_is_either_assigned_or_claimed(kind):
    claimer, assignee = make_agent("claimer"), make_agent("assignee")
    for _ in range(ROUNDS):
        task = make_task() if kind == "alone" else make_task(chain=make_chain())

        def assign(task=task):
            try:
                return transitions.assign(task.pk, assignee.pk, by="operator")
            except WrongStatus:
                return None

        given, claimed = at_once(assign, partial(take, claimer, task.channel))

        task = fresh(task)
        assert task.agent == (assignee if given else claimer)
        assert (given is None) == bool(claimed)
        assert task.lease_epoch == 1
        complete(task)


def test_heartbeats_and_reports_of_the_same_tasks_do_not_deadlock():
    channel = make_channel()
    agent = make_agent()
    for _ in range(ROUNDS):
        make_tasks(4, channel=channel)
        tasks = take(agent, channel, max_tasks=4, lease_seconds=60)

        def beat(tasks=tasks):
            with transaction.atomic():
                agents.beat(Beat(agent.pk))
                return leases.renew_listed(agent.pk, {task.pk: None for task in tasks})

        def report_in_transaction(tasks=tasks):
            outcomes = [Outcome(task.pk, done=True) for task in reversed(tasks)]
            return reports.report_in_transaction(outcomes, agent_id=agent.pk, by="")

        def report_by_fast_path(tasks=tasks):
            outcomes = [Outcome(task.pk, done=True) for task in reversed(tasks)]
            return run_fast(agent.pk, outcomes=outcomes, channel=channel.pk)

        at_once(beat, report_in_transaction, report_by_fast_path, beat)

    assert Task.objects.filter(status=Status.DONE).count() == 4 * ROUNDS
    assert not Task.objects.open().exists()


@pytest.mark.parametrize("end", ["expiry", "loss"])
def test_a_completion_is_accepted_beside_the_reapers(end):
    agent = make_agent()
    for _ in range(ROUNDS):
        task = make_held_task(agent, max_attempts=9)
        if end == "expiry":
            let_lease_run_out(task)
        else:
            silence(agent)

        def complete(task=task):
            outcome = Outcome(task.pk, done=True)
            return reports.report_one(outcome, agent_id=agent.pk, by="").verdict

        verdict, _, _ = at_once(complete, leases.expire_leases, leases.release_lost)

        assert verdict == "accepted"
        assert fresh(task).status == Status.DONE
        assert Attempt.objects.filter(task=task).count() <= 1


def test_a_completion_wins_over_a_concurrent_cancellation():
    agent = make_agent()
    for _ in range(ROUNDS):
        task = make_held_task(agent)

        def complete(task=task):
            return report(Outcome(task.pk, done=True), by=agent)

        def cancel(task=task):
            with suppress(WrongStatus):
                transitions.cancel(task.pk, by="operator")

        at_once(complete, cancel)

        assert fresh(task).status == Status.DONE


def test_concurrent_repeated_reports_are_accepted_once():
    agent = make_agent()
    for n in range(ROUNDS):
        task = make_held_task(agent, max_attempts=9)

        def fail(task=task):
            outcome = Outcome(task.pk, done=False, retriable=True, epoch=1)
            return reports.report_one(outcome, agent_id=agent.pk, by="").verdict

        assert sorted(at_once(fail, fail)) == ["accepted", "already"]
        assert (fresh(task).attempts, Attempt.objects.count()) == (1, n + 1)


@both_paths
def test_a_claim_does_not_wait_for_tasks_that_others_have_locked(claim):
    channel = make_channel()
    first, second = make_tasks(2, channel=channel)
    chain = make_chain(channel, tasks=1)
    agent = make_agent()

    with transaction.atomic():
        list(Task.objects.filter(pk__in=[first.pk, chain.tasks.get().pk]).lock())
        claimed = at_once(partial(claim, agent.pk, channel, max_tasks=5))

    assert claimed == [[second.pk]]
    assert give(agent, channel) == first


def test_a_claim_neither_waits_for_its_agents_row_nor_goes_on_with_what_the_agent_was():
    channel = make_channel()
    make_tasks(3, channel=channel)
    silence(make_agent("a"), timedelta(seconds=5))

    with transaction.atomic():
        agents.drain("a", by="tests")
        (before,) = at_once(partial(run_fast, "a", channel=channel.pk))
    after = run_fast("a", channel=channel.pk)

    assert (len(before.tasks), len(after.tasks)) == (1, 0)
    assert Event.objects.filter(type="agent.drained").count() == 1


def test_a_batch_is_filled_while_others_hold_what_is_first_and_chains_come_before_the_rest():
    channel = make_channel()
    first = make_tasks(80, channel=channel, priority=5)
    make_tasks(1, chain=make_chain(channel), priority=3)
    make_tasks(20, channel=channel)

    with transaction.atomic():
        list(Task.objects.filter(pk__in=[task.pk for task in first[3:]]).lock())
        (result,) = at_once(partial(run_fast, "a", channel=channel.pk, max_tasks=10))

    assert len(result.tasks) == 10


def test_outcomes_that_were_taken_are_answered_though_the_claim_behind_them_fails():
    held = make_held_task(make_agent("a"))
    alone = make_task(held.channel, priority=5)
    make_tasks(1, chain=make_chain(held.channel))
    request = ClaimRequest("a", ids=[held.channel_id])

    def reported():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        return reports.report("a", [Outcome(held.pk, done=True)], request)

    with transaction.atomic():
        list(Task.objects.filter(pk=alone.pk).lock())
        agents.lock(["a"])
        ((verdicts, tasks),) = at_once(reported)

    assert [one.verdict for one in verdicts] == ["accepted"]
    assert list(tasks) == []
    assert fresh(held).status == Status.DONE
