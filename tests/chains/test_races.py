"""Concurrent verbs on chains. A deadlock would raise."""

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import pairwise
from threading import Event

import pytest
from django.db import transaction

from agents import transitions as agents
from agents.transitions import Beat
from chains import transitions
from chains.models import Chain
from chains.settle import settle
from events.models import Event as JournalEvent
from problems import Problem
from tasks import leases, reports
from tasks import transitions as tasks
from tasks.models import Task
from tasks.rows import Outcome
from tasks.states import Status
from tests.chains.steps import rows
from tests.factories import (
    let_lease_run_out,
    make_agent,
    make_chain,
    make_channel,
    make_tasks,
    run_fast,
    silence,
    take,
)
from tests.racing import at_once, waits_for_a_lock, with_connection

pytestmark = pytest.mark.django_db(transaction=True)


def complete(agent, task):
    """The verdict, by the fast path if it applies."""
    outcome = Outcome(task.pk, done=True, epoch=task.lease_epoch)
    return reports.report_one(outcome, agent_id=agent.pk, by="").verdict


def work(agent, channel):
    """Claim and complete tasks until no task is open."""
    while Task.objects.open().exists():
        for task in take(agent, channel):
            assert complete(agent, task) == "accepted"


def test_chains_keep_their_order_and_one_owner_while_many_agents_work():
    channel = make_channel()
    chains = [make_chain(channel, tasks=5) for _ in range(20)]
    everybody = [make_agent() for _ in range(16)]

    at_once(*[partial(work, agent, channel) for agent in everybody])

    assert set(Chain.objects.values_list("status", flat=True)) == {"done"}
    sequence = {str(task.pk): task.sequence for task in Task.objects.all()}
    for chain in chains:
        check_journal(chain, sequence)


def check_journal(chain, sequence):
    """In the journal each step ran once, in order, for the owner at that time."""
    owner, ran = None, []
    types = ["task.claimed", "task.completed", "chain.acquired", "chain.released"]
    for event in JournalEvent.objects.about_chain(chain.pk).filter(type__in=types).order_by("id"):
        if event.type == "chain.acquired":
            assert owner is None
            owner = event.agent_id
        elif event.type == "chain.released":
            assert owner == event.agent_id
            owner = None
        else:
            ran.append((event.type, sequence[event.task_id], event.agent_id))
    worker = ran[0][2]
    assert ran == [
        (type_, step, worker)
        for step in range(1, 6)
        for type_ in ("task.claimed", "task.completed")
    ]


def test_no_task_is_lost_when_chains_are_detached_during_work():
    channel = make_channel()
    chains = [make_chain(channel, tasks=4) for _ in range(4)]
    everybody = [make_agent() for _ in range(4)]

    def work_on(agent):
        while Task.objects.open().exists():
            for task in take(agent, channel):
                assert complete(agent, task) in {"accepted", "lost"}

    def detach():
        for _ in range(6):
            for chain in chains:
                transitions.detach(chain.pk, owner_id=None, by="operator")

    def unlock():
        while Task.objects.open().exists():
            for task in Task.objects.locked():
                try:
                    tasks.unlock(task.pk, Status.QUEUED, by="operator")
                except Problem:
                    assert Task.objects.get(pk=task.pk).status != Status.LOCKED

    at_once(detach, unlock, *[partial(work_on, agent) for agent in everybody])

    assert Task.objects.filter(status=Status.DONE).count() == 16
    completions = JournalEvent.objects.filter(type="task.completed").values_list(
        "task_id", flat=True
    )
    assert len(completions) == len(set(completions)) == 16


def test_concurrent_assignments_leave_each_agent_at_most_one_chain():
    channel = make_channel()
    one, two = make_chain(channel, tasks=1), make_chain(channel, tasks=1)
    first, second = (make_agent(subscriptions=(channel.name,)) for _ in range(2))

    def give(chain, agent):
        with suppress(Problem):
            transitions.assign_agent(chain.pk, agent.pk, by="operator")

    for _ in range(15):
        at_once(
            partial(give, one, first),
            partial(give, two, first),
            partial(give, two, second),
            partial(give, one, second),
        )
        owners = [chain.owner_id for chain in Chain.objects.order_by("id")]
        assert any(owners)
        turns = Task.objects.with_turn().order_by("chain").values_list("reserved_for", flat=True)
        assert list(turns) == owners
        for chain in (one, two):
            transitions.detach(chain.pk, owner_id=None, by="operator")


def test_detaching_locks_the_new_owner_if_the_chain_changes_its_owner_meanwhile():
    chain = make_chain(tasks=1)
    old, new = make_agent("old"), make_agent("new")
    take(old, chain.channel)
    held, let_go = Event(), Event()

    def hold_new():
        with transaction.atomic():
            agents.lock([new.pk])
            held.set()
            assert let_go.wait(timeout=30)

    def detach():
        return transitions.detach(chain.pk, owner_id=None, by="operator").owner

    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():
            agents.lock([old.pk])
            detaching = pool.submit(with_connection, detach)
            assert waits_for_a_lock(detaching)
            Chain.objects.filter(pk=chain.pk).update(owner=new)
            holding = pool.submit(with_connection, hold_new)
            assert held.wait(timeout=30)

        waited = waits_for_a_lock(detaching)
        let_go.set()

        assert waited
        assert (holding.result(), detaching.result()) == (None, None)


def test_the_reaper_goes_on_when_a_chain_is_deleted_meanwhile():
    for _ in range(10):
        channel = make_channel()
        chains = [make_chain(channel, tasks=1) for _ in range(3)]
        for agent in [make_agent() for _ in chains]:
            complete(agent, take(agent, channel)[0])
            silence(agent)

        def delete(chains=chains):
            for chain in chains[1:]:
                transitions.delete(chain.pk, by="operator")

        at_once(transitions.detach_lost, delete)

        assert not Chain.objects.filter(owner__isnull=False).exists()


def test_a_lease_that_is_renewed_beside_the_reaper_is_kept():
    for _ in range(15):
        chain = make_chain(tasks=1)
        agent = make_agent()
        task = take(agent, chain.channel, lease_seconds=60)[0]
        let_lease_run_out(task)

        def renew(task=task, agent=agent):
            try:
                return leases.renew(task.pk, agent_id=agent.pk)
            except Problem:
                return None

        renewed, _ = at_once(renew, transitions.detach_expired)

        status = Status.IN_PROGRESS if renewed else Status.LOCKED
        assert Task.objects.get(pk=task.pk).status == status


class Storm:
    """All verbs, drawn at random, on a few agents, chains and tasks."""

    def __init__(self):
        self.channel = make_channel()
        self.agents = [make_agent(subscriptions=(self.channel.name,)) for _ in range(4)]
        self.chains = [make_chain(self.channel, tasks=3) for _ in range(4)]
        make_tasks(6, channel=self.channel)
        self.verbs = [
            value for name, value in sorted(vars(Storm).items()) if name.startswith("do_")
        ]

    def blow(self, seed, times):
        chance = random.Random(seed)  # noqa: S311
        for _ in range(times):
            verb = chance.choice(self.verbs)
            try:
                verb(self, chance, chance.choice(self.agents), chance.choice(self.chains))
            except Problem:
                continue

    def a_task(self, chance):
        return chance.choice(list(Task.objects.order_by("id")))

    def do_claim(self, chance, agent, chain):
        take(agent, self.channel, max_tasks=chance.choice([1, 3]), lease_seconds=60)

    def do_claim_fast(self, chance, agent, chain):
        run_fast(agent.pk, channel=self.channel.pk, max_tasks=2)

    def do_complete(self, chance, agent, chain):
        for task in Task.objects.held_by(agent.pk):
            complete(agent, task)

    def do_fail(self, chance, agent, chain):
        outcomes = [
            Outcome(task.pk, done=False, retriable=True)
            for task in Task.objects.held_by(agent.pk).order_by("-id")
        ]
        reports.report_in_transaction(outcomes, agent_id=agent.pk, by="")

    def do_beat(self, chance, agent, chain):
        listed = {task.pk: None for task in Task.objects.held_by(agent.pk)}
        with transaction.atomic():
            agents.beat(Beat(agent.pk))
            leases.renew_listed(agent.pk, listed)

    def do_enqueue(self, chance, agent, chain):
        make_tasks(2, chain=chain)

    def do_assign(self, chance, agent, chain):
        tasks.assign(self.a_task(chance).pk, agent.pk, by="operator")

    def do_assign_agent(self, chance, agent, chain):
        transitions.assign_agent(chain.pk, agent.pk, by="operator")

    def do_detach(self, chance, agent, chain):
        transitions.detach(chain.pk, owner_id=None, by="operator")

    def do_unlock(self, chance, agent, chain):
        for task in Task.objects.locked():
            tasks.unlock(task.pk, chance.choice([Status.QUEUED, Status.DONE]), by="operator")

    def do_requeue(self, chance, agent, chain):
        for task in Task.objects.failed():
            tasks.requeue(task.pk, by="operator")

    def do_cancel(self, chance, agent, chain):
        tasks.cancel(self.a_task(chance).pk, by="operator")

    def do_edit(self, chance, agent, chain):
        transitions.edit(
            chain.pk, {"on_failure": chance.choice(["stop", "continue"])}, by="operator"
        )

    def do_expire(self, chance, agent, chain):
        let_lease_run_out(self.a_task(chance))
        leases.expire_leases()
        transitions.detach_expired()

    def do_lose(self, chance, agent, chain):
        silence(agent)
        leases.release_lost()
        transitions.detach_lost()

    def do_announce(self, chance, agent, chain):
        agents.announce()


@pytest.mark.parametrize("seed", range(3))
def test_concurrent_random_verbs_leave_consistent_rows_and_a_complete_journal(seed):
    storm = Storm()

    at_once(*[partial(storm.blow, 100 * seed + n, 50) for n in range(6)])

    check_all()


def check_all():
    """Settling changes nothing, and the journal has every change of status of each task."""
    before = rows()
    with transaction.atomic():
        for chain in Chain.objects.order_by("id").lock():
            settle(chain)
    assert rows() == before
    changes = defaultdict(list)
    for event in JournalEvent.objects.filter(task_id__isnull=False).order_by("id"):
        if "to" in event.payload:
            changes[event.task_id].append(event.payload)
    for task in Task.objects.all():
        steps = changes[str(task.pk)]
        assert steps[-1]["to"] == task.status
        for step, following in pairwise(steps):
            assert following["from"] == step["to"]
        claimed = [step["lease_epoch"] for step in steps if step["to"] == "in_progress"]
        assert claimed == list(range(1, task.lease_epoch + 1))
