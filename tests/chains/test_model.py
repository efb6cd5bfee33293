"""The model's rules hold in every state of a small world, and the engine follows the model."""

import random
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import F

from chains import transitions as chains
from chains.models import Chain
from problems import Problem
from tasks import claims, leases, releases, reports, transitions
from tasks.models import Task
from tasks.rows import ClaimRequest, Outcome
from tests.chains import model
from tests.chains.model import AGENTS, CHAINS, TASKS, State
from tests.factories import let_lease_run_out, make_agent, make_channel, silence

DEPTH = 5
PATHS = 80
LENGTH = 12


# The model by itself.


def check(state):
    """What must hold in every state."""
    for chain in CHAINS:
        steps = [task for _, task in model.steps(state, chain)]
        active = [task for task in steps if task.status in model.ACTIVE]
        ready = [name for name, _ in model.steps(state, chain) if is_ready(state, name)]
        assert len(active) + len(ready) <= 1, "at most one task of a chain runs or has its turn"
        for task in steps:
            if task.status == "in_progress":
                assert task.agent == state.chain(chain).owner, "who runs a chain's task owns it"
        open_ = [task for task in steps if task.status in model.OPEN]
        stopped = state.chain(chain).stops and any(task.status == "failed" for task in steps)
        assert not open_ or active or ready or stopped, "nothing is lost: a chain goes on"
    for agent in AGENTS:
        assert len(model.owned(state, agent)) <= 1, "an agent owns at most one chain"
    for name, task in zip(TASKS, state.tasks, strict=True):
        if task:
            assert (task.agent is not None) >= (task.status == "in_progress"), "held by somebody"
            assert task.status != "queued" or task.agent is None, "a queued task is nobody's"
            alone = model.chain_of(name) is None
            assert not (alone and task.status == "locked"), "only chains lock"


def is_ready(state, name):
    task = state.task(name)
    return task is not None and task.status == "queued" and not model.blocked(state, name)


def check_step(before, action, answer, after):
    """What must hold of every change."""
    verb, values = action
    for name, was, now in zip(TASKS, before.tasks, after.tasks, strict=True):
        chain = model.chain_of(name)
        if now is None or was is None or was.status == now.status:
            assert now is not None or was is None or (verb, values) == (model.delete, (chain,))
            continue
        assert was.status not in {"done", "cancelled"}, "what has ended stays so"
        if (was.status, now.status) == ("failed", "done"):
            assert not was.closed, "what an agent reported stays so"
        if now.status == "in_progress":
            earlier = [task for other, task in model.steps(before, chain or "") if other < name]
            assert not any(task.status in model.OPEN for task in earlier), "order in a chain"
            assert chain_is_free_for(before, chain, now.agent), "an owned chain is its owner's"
    if verb is model.claim and answer:
        agent = values[0]
        assert not model.bound(before, agent) or model.reserved_for(before, answer) == agent
        assert model.chain_of(answer) is None or not is_locked(before, model.chain_of(answer))
    if answer == "refused":
        assert after == before


def chain_is_free_for(state, chain, agent):
    return chain is None or state.chain(chain).owner in {None, agent}


def is_locked(state, chain):
    return model.chain_status(state, chain) == "locked"


def test_the_rules_hold_in_every_state_of_a_small_world():
    seen = {State()}
    frontier = [State()]
    for _ in range(DEPTH):
        reached = []
        for state in frontier:
            check(state)
            for action, answer, after in model.next_states(state):
                check_step(state, action, answer, after)
                if after not in seen and model.mirrored(after) not in seen:
                    seen.add(after)
                    reached.append(after)
        frontier = reached
    for state in frontier:
        check(state)
    assert len(seen) > 5_000


# The engine beside it.


class World:
    """The real rows of the model's agents, chains and tasks, and its verbs on them."""

    def __init__(self):
        self.channel = make_channel()
        self.agents = {
            name: make_agent(name, subscriptions=(self.channel.name,)) for name in AGENTS
        }
        self.chains = {name: chains.open_chain(self.channel, name, by="tests") for name in CHAINS}
        new = [
            Task(
                channel=self.channel,
                chain=self.chains.get(model.chain_of(name)),
                title=name,
                max_attempts=model.MAX_ATTEMPTS,
            )
            for name in TASKS
        ]
        self.tasks = dict(zip(TASKS, chains.enqueue(new, by="tests"), strict=True))
        for number, name in enumerate(TASKS):
            hour = timedelta(hours=number // 2 * 2)  # X before S before Y
            Task.objects.filter(pk=self.tasks[name].pk).update(queue_at=F("created_at") + hour)

    def claim(self, agent, fast):
        """By either path, as the view does, or by the transactional path alone."""
        claim = claims.claim if fast else claims.claim_in_transaction
        return self.named([task.id for task in claim(ClaimRequest(agent, ids=[self.channel.pk]))])

    def named(self, ids):
        names = {task.pk: name for name, task in self.tasks.items()}
        return names[ids[0]] if ids else None

    def report(self, outcome, agent, fast):
        if fast:
            return reports.report_one(outcome, agent_id=agent or "", by="operator").verdict
        verdicts, _ = reports.report_in_transaction([outcome], agent_id=agent, by="operator")
        return verdicts[0].verdict

    def follow(self, action, fast):
        """Apply the verb as the model does; the result, or "refused"."""
        verb, values = action
        try:
            with transaction.atomic():
                return getattr(self, f"do_{verb.__name__}")(*values, fast=fast)
        except Problem:
            return "refused"

    def do_claim(self, agent, fast):
        return self.claim(agent, fast)

    def do_assign(self, name, agent, fast):
        transitions.assign(self.tasks[name].pk, agent, by="operator")

    def do_complete(self, name, agent, fast):
        return self.report(Outcome(self.tasks[name].pk, done=True), agent, fast)

    def do_fail(self, name, agent, fast):
        return self.report(Outcome(self.tasks[name].pk, done=False), agent, fast)

    def do_fail_retriably(self, name, agent, fast):
        outcome = Outcome(self.tasks[name].pk, done=False, retriable=True)
        return self.report(outcome, agent, fast)

    def do_unlock(self, name, to, fast):
        transitions.unlock(self.tasks[name].pk, to, by="operator")

    def do_requeue(self, name, fast):
        transitions.requeue(self.tasks[name].pk, by="operator")

    def do_cancel(self, name, fast):
        transitions.cancel(self.tasks[name].pk, by="operator")

    def do_force_cancel(self, name, fast):
        transitions.cancel(self.tasks[name].pk, by="operator", force=True)

    def do_release(self, name, agent, fast):
        releases.release(self.tasks[name].pk, agent_id=agent)

    def do_restart(self, agent, fast):
        releases.begin_anew(agent)

    def do_expire(self, name, fast):
        let_lease_run_out(self.tasks[name])
        leases.expire_leases()
        chains.detach_expired()

    def do_lose(self, agent, fast):
        silence(self.agents[agent])
        leases.release_lost()
        chains.detach_lost()
        silence(self.agents[agent], timedelta())

    def do_detach(self, chain, agent, fast):
        chains.detach(self.chains[chain].pk, owner_id=agent, by="operator")

    def do_assign_agent(self, chain, agent, fast):
        chains.assign_agent(self.chains[chain].pk, agent, by="operator")

    def do_set_on_failure(self, chain, to, fast):
        chains.edit(self.chains[chain].pk, {"on_failure": to}, by="operator")

    def do_delete(self, chain, fast):
        chains.delete(self.chains[chain].pk, by="operator")

    def picture(self):
        tasks = {task.pk: task for task in Task.objects.all()}
        owners = {chain.pk: chain for chain in Chain.objects.all()}
        return {
            **{name: of_task(tasks.get(task.pk)) for name, task in self.tasks.items()},
            **{name: of_chain(owners.get(chain.pk)) for name, chain in self.chains.items()},
        }


def of_task(task):
    return task and {
        "status": task.status,
        "agent": task.agent_id,
        "last": task.last_holder,
        "attempts": task.attempts,
        "lost_with": tuple(task.lost_with) if task.losses else (),
        "asked": task.cancel_asked_at is not None,
        "closed": 0 < task.closed_epoch == task.lease_epoch,
        "blocked": task.blocked,
        "reserved_for": task.reserved_for_id,
    }


def of_chain(chain):
    return chain and {
        "owner": chain.owner_id,
        "stops": chain.on_failure == "stop",
        "status": chain.status,
    }


def picture_of(state):
    """The rows that the engine must have in this state of the model."""
    tasks = {
        name: (task := state.task(name))
        and {field: getattr(task, field) for field in task.__slots__}
        | {
            "closed": bool(task.closed),
            "blocked": model.blocked(state, name),
            "reserved_for": model.reserved_for(state, name),
        }
        for name in TASKS
    }
    chain_pictures = {
        name: None
        if (chain := state.chain(name)).deleted
        else {
            "owner": chain.owner,
            "stops": chain.stops,
            "status": model.chain_status(state, name),
        }
        for name in CHAINS
    }
    return tasks | chain_pictures


def drawn(chance, state):
    """A random verb, mostly with values that change the state."""
    verb = chance.choice(sorted({verb for verb, _ in model.ACTIONS}, key=lambda v: v.__name__))
    of_verb = [action for action in model.ACTIONS if action[0] is verb]
    effective = [action for action in of_verb if model.follow(state, action)[1] != state]
    return chance.choice(effective if effective and chance.random() < 0.8 else of_verb)


@pytest.mark.django_db
@pytest.mark.parametrize("part", range(5))
def test_the_engine_follows_the_model(part, settings):
    settings.MAX_LOSSES = model.MAX_LOSSES
    chance = random.Random(part)  # noqa: S311
    world = World()
    for path in range(PATHS // 5):
        done = []
        with transaction.atomic():
            state = State()
            assert world.picture() == picture_of(state)
            for _ in range(LENGTH):
                action = drawn(chance, state)
                fast = chance.random() < 0.5
                done.append(
                    (action[0].__name__, *action[1], "either path" if fast else "transactional")
                )

                expected, state = model.follow(state, action)
                answer = world.follow(action, fast)

                assert answer == expected, (path, done)
                assert world.picture() == picture_of(state), (path, done)
            transaction.set_rollback(True)
