"""The numbered tests of the older system, and the rules of seed 002.

Here names may repeat (1, 4), an owner gets no task of another chain (7), and a task may be without
a chain (6). Numbers 15 to 20 are about HTTP.
"""

from uuid import uuid4

import pytest

from chains import transitions as chains
from chains.exceptions import ChainUnknown, NotOwner, StatusFollows
from chains.models import Chain
from tasks import transitions
from tasks.exceptions import WrongStatus
from tasks.models import Task
from tasks.states import Status
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_task,
    steps_of,
    take,
)
from tests.tasks.reporting import complete, fail

pytestmark = pytest.mark.django_db


def status(chain):
    return fresh(chain).status


def test_01_a_chain_has_its_fields_and_names_may_repeat():
    channel = make_channel()

    chain = chains.open_chain(channel, "release", description="steps", by="operator")
    again = chains.open_chain(channel, "release", by="operator")

    assert (chain.channel, chain.name, chain.description) == (channel, "release", "steps")
    assert (chain.status, chain.owner, chain.on_failure) == ("queued", None, "continue")
    assert fresh(chain).created_at
    assert again.pk != chain.pk


def test_02_a_chain_is_found_by_its_id():
    chain = make_chain(name="release")

    assert fresh(chain).name == "release"
    assert not Chain.objects.filter(pk=uuid4()).exists()


def test_03_chains_are_listed_by_channel():
    one, two = make_channel(), make_channel()
    first, second, other = make_chain(one), make_chain(one), make_chain(two)

    assert list(Chain.objects.order_by("id")) == [first, second, other]
    assert list(Chain.objects.filter(channel=one).order_by("id")) == [first, second]


def test_04_a_chain_can_be_edited_except_its_status():
    chain, other = make_chain(tasks=1), make_chain()
    agent = make_agent()
    give(agent, chain.channel)

    edited = chains.edit(chain.pk, {"name": other.name, "description": "d"}, by="operator")

    assert (edited.name, edited.description, edited.owner) == (other.name, "d", agent)
    assert edited.updated_at > chain.updated_at
    assert (
        chains.edit(chain.pk, {"name": "", "status": "in_progress"}, by="operator").name
        == other.name
    )
    with pytest.raises(StatusFollows):
        chains.edit(chain.pk, {"status": "done"}, by="operator")
    with pytest.raises(ChainUnknown):
        chains.edit(uuid4(), {"name": "x"}, by="operator")


def test_05_a_chain_is_deleted_with_its_tasks():
    chain = make_chain(tasks=2)

    chains.delete(chain.pk, by="operator")

    assert not Chain.objects.exists()
    assert not Task.objects.exists()
    with pytest.raises(ChainUnknown):
        chains.delete(chain.pk, by="operator")


def test_06_a_task_may_be_without_a_chain():
    task = make_task()

    give(make_agent(), task.channel)

    assert fresh(task).chain is None
    assert not Chain.objects.exists()


def test_07_an_agent_works_through_its_chain_and_another_agent_gets_the_other_chain():
    channel = make_channel()
    alpha, beta = make_chain(channel, tasks=3), make_chain(channel, tasks=1)
    agent = make_agent()

    first = give(agent, channel)
    assert (first.chain, first.sequence, status(alpha)) == (alpha, 1, "in_progress")
    assert take(agent, channel) == []
    assert give(make_agent(), channel).chain == beta
    complete(first)
    for sequence in (2, 3):
        task = give(agent, channel)
        assert (task.chain, task.sequence) == (alpha, sequence)
        complete(task)

    assert status(alpha) == "done"
    assert take(agent, channel) == []


def test_08_completing_the_last_task_makes_the_chain_done():
    chain = make_chain(tasks=2)
    agent = make_agent()

    complete(give(agent, chain.channel))
    assert status(chain) == "in_progress"

    complete(give(agent, chain.channel))
    assert status(chain) == "done"


def test_09_a_failed_task_makes_the_chain_failed_and_the_next_still_runs():
    chain = make_chain(tasks=2)
    agent = make_agent()

    fail(give(agent, chain.channel), reason="no compiler")
    assert status(chain) == "failed"
    assert steps_of(chain)[0].fail_reason == "no compiler"

    second = give(agent, chain.channel)
    assert (second.sequence, second.status) == (2, Status.IN_PROGRESS)
    assert status(chain) == "failed"


def test_10_each_agent_owns_its_chain_and_keeps_it_when_it_ends():
    channel = make_channel()
    chain1, chain2 = make_chain(channel, tasks=2), make_chain(channel, tasks=1)
    a, b = make_agent("a"), make_agent("b")

    first = give(a, channel)
    assert (fresh(chain1).owner, status(chain1)) == (a, "in_progress")
    other = give(b, channel)
    assert (other.chain, fresh(chain2).owner) == (chain2, b)
    assert take(a, channel) == []
    complete(first)
    complete(give(a, channel))
    assert (fresh(chain1).owner, status(chain1)) == (a, "done")
    fail(other)
    assert (fresh(chain2).owner, status(chain2)) == (b, "failed")


def test_11_detaching_locks_the_task_in_progress_and_clears_the_owner():
    chain = make_chain(tasks=2)
    agent = make_agent()
    task = give(agent, chain.channel)

    with pytest.raises(NotOwner):
        chains.detach(chain.pk, owner_id="stranger", by="stranger")
    chains.detach(chain.pk, owner_id=agent.pk, by=agent.pk)

    chain = fresh(chain)
    assert (chain.status, chain.owner) == ("locked", None)
    assert (fresh(task).status, fresh(task).agent) == (Status.LOCKED, agent)
    assert not Task.objects.current_of([agent.pk]).exists()


def test_12_detaching_between_tasks_keeps_the_status_of_the_chain():
    chain = make_chain(tasks=1)
    agent = make_agent()
    task = give(agent, chain.channel)
    complete(task)
    assert fresh(chain).owner == agent

    chains.detach(chain.pk, owner_id=agent.pk, by=agent.pk)

    assert (fresh(chain).owner, status(chain)) == (None, "done")
    assert fresh(task).status == Status.DONE
    assert not Task.objects.current_of([agent.pk]).exists()


def test_13_a_locked_task_can_be_unlocked_once_to_queued_or_done():
    chain = make_chain(tasks=2)
    task = give(make_agent(), chain.channel)
    chains.detach(chain.pk, owner_id=None, by="operator")
    unlocked = transitions.unlock(task.pk, Status.QUEUED, by="operator")
    assert (unlocked.status, unlocked.agent, unlocked.claimed_at) == (Status.QUEUED, None, None)
    assert status(chain) == "queued"

    assert give(make_agent(), chain.channel) == task
    chains.detach(chain.pk, owner_id=None, by="operator")
    assert transitions.unlock(task.pk, Status.DONE, by="operator").finished_at

    for to in (Status.QUEUED, Status.DONE):
        with pytest.raises(WrongStatus):
            transitions.unlock(task.pk, to, by="operator")
    with pytest.raises(WrongStatus):
        transitions.unlock(steps_of(chain)[1].pk, Status.DONE, by="operator")


def test_14_no_task_behind_a_locked_one_can_be_claimed():
    chain = make_chain(tasks=2)
    agent = make_agent()
    give(agent, chain.channel)
    chains.detach(chain.pk, owner_id=agent.pk, by=agent.pk)

    assert take(agent, chain.channel) == take(make_agent(), chain.channel) == []
    assert steps_of(chain)[1].status == Status.QUEUED


# Seed 002.


def test_the_owner_of_a_chain_gets_nothing_from_other_channels():
    chain, other = make_chain(tasks=2), make_chain(tasks=1)
    agent = make_agent()
    give(agent, chain.channel)

    assert take(agent, other.channel) == []
    assert fresh(other).owner is None


def test_only_the_owner_gets_the_tasks_of_its_chain():
    chain = make_chain(tasks=3)
    agent = make_agent()
    complete(give(agent, chain.channel))

    assert take(make_agent(), chain.channel) == []
    assert give(agent, chain.channel).sequence == 2


def test_a_new_task_of_a_finished_chain_is_reserved_for_its_owner():
    chain = make_chain(tasks=1)
    agent = make_agent()
    complete(give(agent, chain.channel))

    added = make_task(chain=chain)

    assert (status(chain), added.reserved_for) == ("in_progress", agent)
    assert take(make_agent(), chain.channel) == []
    assert give(agent, chain.channel) == added


def test_ownership_is_kept_when_a_claim_finds_nothing():
    chain = make_chain(tasks=1)
    agent = make_agent()
    complete(give(agent, chain.channel))

    assert take(agent, chain.channel, make_channel()) == []

    assert fresh(chain).owner == agent


@pytest.mark.parametrize("elsewhere", ["a task alone", "another chain"])
def test_claiming_another_task_ends_the_ownership_of_a_finished_chain(elsewhere):
    chain = make_chain(tasks=1)
    agent = make_agent()
    complete(give(agent, chain.channel))
    other = make_chain(chain.channel, tasks=1) if elsewhere == "another chain" else None
    if other is None:
        make_task(chain.channel)

    task = give(agent, chain.channel)

    assert task.chain == other
    assert (fresh(chain).owner, status(chain)) == (None, "done")
    assert list(Chain.objects.owned_by(agent.pk)) == ([other] if other else [])


def test_a_released_chain_is_owned_by_the_next_agent_that_claims_from_it():
    chain = make_chain(tasks=1)
    agent, other = make_agent(), make_agent()
    complete(give(agent, chain.channel))
    make_task(chain.channel)
    give(agent, chain.channel)

    added = make_task(chain=chain)

    assert give(other, chain.channel) == added
    assert fresh(chain).owner == other


def test_tasks_without_a_chain_bind_no_agent():
    channel = make_channel()
    agent = make_agent()
    for _ in range(3):
        task = make_task(channel)
        assert give(agent, channel) == task
        complete(task)
