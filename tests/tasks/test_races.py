"""Many at once on a real PostgreSQL. A deadlock raises, so none of these may meet one."""

from contextlib import suppress
from functools import partial

import pytest
from django.db import transaction

from agents import transitions as agents
from agents.transitions import Beat
from tasks import claims, leases, reports, transitions
from tasks.exceptions import WrongStatus
from tasks.fast_path import ClaimRequest, Outcome
from tasks.models import Attempt, ClaimKey, Task
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

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 15


def fast_claim(agent, channel, max_tasks):
    return [task.id for task in run_fast(agent.pk, channel=channel.pk, max_tasks=max_tasks).tasks]


def slow_claim(agent, channel, max_tasks):
    return [task.pk for task in take(agent, channel, max_tasks=max_tasks)]


@pytest.mark.parametrize("claim", [fast_claim, slow_claim])
@pytest.mark.parametrize("max_tasks", [1, 3])
def test_many_agents_never_get_the_same_task(claim, max_tasks):
    channel = make_channel()
    tasks = make_tasks(60, channel=channel)
    everybody = [make_agent() for _ in range(8)]

    def claim_all(agent):
        claimed = []
        while Task.objects.queued().exists():
            claimed += claim(agent, channel, max_tasks)
        return claimed

    shares = at_once(*[partial(claim_all, agent) for agent in everybody])

    assert sorted(pk for share in shares for pk in share) == [task.pk for task in tasks]
    assert set(Task.objects.values_list("lease_epoch", flat=True)) == {1}


def test_the_same_key_twice_at_once_gets_the_same_tasks():
    channel = make_channel()
    make_tasks(4 * ROUNDS, channel=channel)
    agent = make_agent()

    for n in range(ROUNDS):
        request = ClaimRequest(agent_id=agent.pk, ids=[channel.pk], max_tasks=2, key=str(n))
        first, second = at_once(*[partial(claims.claim, request)] * 2)
        assert first == second

    assert Task.objects.in_progress().count() == 2 * ROUNDS
    assert ClaimKey.objects.count() == ROUNDS


def test_enqueueing_the_same_keys_at_once_makes_each_task_once():
    channel = make_channel()

    def enqueue(keys):
        new = [Task(channel=channel, title="t", idempotency_key=key) for key in keys]
        return transitions.enqueue(new, by="tests")

    for n in range(ROUNDS):
        keys = [f"{n}.{m}" for m in range(30)]
        one, other = at_once(partial(enqueue, keys), partial(enqueue, keys[::-1]))
        assert one == other[::-1]
        assert Task.objects.count() == 30 * (n + 1)


def test_sequences_are_unique_when_many_add_to_a_chain():
    chain = make_chain()

    at_once(*[partial(make_tasks, 3, chain=chain) for _ in range(8)])

    sequences = Task.objects.filter(chain=chain).order_by("sequence")
    assert list(sequences.values_list("sequence", flat=True)) == list(range(1, 25))
    assert [task.sequence for task in Task.objects.with_turn()] == [1]


@pytest.mark.parametrize("kind", ["alone", "in a chain"])
def test_a_task_is_assigned_or_claimed_but_never_both(kind):
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
        reports.report_in_transaction([Outcome(task.pk, done=True)], agent_id=None, by="tests")


def test_a_heartbeat_beside_a_report_of_the_same_tasks():
    channel = make_channel()
    agent = make_agent()
    for _ in range(ROUNDS):
        make_tasks(4, channel=channel)
        tasks = take(agent, channel, max_tasks=4, lease_seconds=60)

        def beat(tasks=tasks):
            with transaction.atomic():
                agents.beat(Beat(agent.pk))
                return leases.renew_listed(agent.pk, {task.pk: None for task in tasks})

        def report(tasks=tasks):
            outcomes = [Outcome(task.pk, done=True) for task in reversed(tasks)]
            return reports.report_in_transaction(outcomes, agent_id=agent.pk, by="")

        def fast_report(tasks=tasks):
            outcomes = [Outcome(task.pk, done=True) for task in reversed(tasks)]
            return run_fast(agent.pk, outcomes=outcomes, channel=channel.pk)

        at_once(beat, report, fast_report, beat)

    assert Task.objects.filter(status=Status.DONE).count() == 4 * ROUNDS
    assert not Task.objects.open().exists()


@pytest.mark.parametrize("sweep", ["expiry", "loss"])
def test_a_completion_beside_a_sweep_always_counts(sweep):
    agent = make_agent()
    for _ in range(ROUNDS):
        task = make_held_task(agent, max_attempts=9)
        if sweep == "expiry":
            let_lease_run_out(task)
        else:
            silence(agent)

        def complete(task=task):
            outcome = Outcome(task.pk, done=True)
            if not run_fast(agent.pk, outcomes=[outcome]):
                return reports.report_in_transaction([outcome], agent_id=agent.pk, by="")[0][
                    0
                ].verdict
            return "accepted"

        verdict, _, _ = at_once(complete, leases.expire_leases, leases.release_lost)

        assert verdict == "accepted"
        assert fresh(task).status == Status.DONE
        assert Attempt.objects.filter(task=task).count() <= 1


def test_a_completion_beside_a_cancellation_has_one_end():
    agent = make_agent()
    for _ in range(ROUNDS):
        task = make_held_task(agent)

        def complete(task=task):
            return reports.report_in_transaction(
                [Outcome(task.pk, done=True)], agent_id=agent.pk, by=""
            )

        def cancel(task=task):
            with suppress(WrongStatus):
                transitions.cancel(task.pk, by="operator")

        at_once(complete, cancel)

        assert fresh(task).status == Status.DONE


def test_the_same_report_twice_at_once_counts_once():
    agent = make_agent()
    for n in range(ROUNDS):
        task = make_held_task(agent, max_attempts=9)

        def fail(task=task):
            outcome = Outcome(task.pk, done=False, retriable=True, epoch=1)
            if run_fast(agent.pk, outcomes=[outcome]):
                return "accepted"
            return reports.report_in_transaction([outcome], agent_id=agent.pk, by="")[0][0].verdict

        assert sorted(at_once(fail, fail)) == ["accepted", "already"]
        assert (fresh(task).attempts, Attempt.objects.count()) == (1, n + 1)


@pytest.mark.parametrize("claim", [fast_claim, slow_claim])
def test_a_claim_waits_for_no_other_agent(claim):
    channel = make_channel()
    first, second = make_tasks(2, channel=channel)
    chain = make_chain(channel, tasks=1)
    agent = make_agent()

    with transaction.atomic():
        list(Task.objects.filter(pk__in=[first.pk, chain.tasks.get().pk]).lock())
        claimed = at_once(partial(claim, agent, channel, 5))

    assert claimed == [[second.pk]]
    assert give(agent, channel) == first
