import pytest

from chains import transitions
from chains.models import OnFailure
from tasks import transitions as tasks
from tasks.models import Task
from tasks.states import Status
from tests.chains.steps import events, make_subscriber, picture
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_held_task,
    make_task,
    make_tasks,
    steps_of,
    take,
)
from tests.tasks.reporting import complete, fail

pytestmark = pytest.mark.django_db


# A chain that stops on failure.


def test_no_task_behind_a_failed_one_gets_the_turn_in_a_chain_that_stops():
    chain = make_chain(tasks=3, on_failure=OnFailure.STOP)
    agent = make_agent()

    fail(give(agent, chain.channel))

    assert [step[1] for step in picture(chain)] == ["turn", "-", "-"]
    assert fresh(chain).status == "failed"
    assert take(agent, chain.channel) == []


def test_a_stopped_chain_does_not_bind_its_owner():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    agent = make_agent()
    fail(give(agent, chain.channel))
    assert fresh(chain).owner == agent

    make_task(chain.channel)
    assert give(agent, chain.channel).chain is None

    assert fresh(chain).owner is None


def test_a_stopped_chain_goes_on_when_the_failed_task_is_requeued():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    agent = make_agent()
    fail(give(agent, chain.channel))

    tasks.requeue(steps_of(chain)[0].pk, by="operator")

    assert picture(chain) == [("queued", "turn", agent.pk), ("queued", "-", "anyone")]
    assert give(agent, chain.channel).sequence == 1


def test_a_stopped_chain_goes_on_when_on_failure_becomes_continue():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    agent = make_agent()
    fail(give(agent, chain.channel))

    transitions.edit(chain.pk, {"on_failure": OnFailure.CONTINUE}, by="operator")

    assert picture(chain)[1] == ("queued", "turn", agent.pk)
    assert events(chain, "chain.edited")[0][1] == "operator"


def test_a_chain_takes_the_turn_back_when_on_failure_becomes_stop():
    chain = make_chain(tasks=2)
    agent = make_agent()
    fail(give(agent, chain.channel))
    assert picture(chain)[1][1] == "turn"

    transitions.edit(chain.pk, {"on_failure": OnFailure.STOP}, by="operator")

    assert picture(chain)[1] == ("queued", "-", "anyone")


def test_a_retry_does_not_stop_a_chain():
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    agent = make_agent()

    fail(give(agent, chain.channel), retriable=True)

    assert picture(chain) == [("queued", "turn", agent.pk), ("queued", "-", "anyone")]
    assert take(make_agent(), chain.channel) == []
    assert give(agent, chain.channel).sequence == 1


# Status.


def test_the_status_of_a_chain_follows_from_its_tasks_and_owner():
    chain = make_chain()
    agent = make_subscriber(chain)
    seen = [chain.status]

    def see():
        seen.append(fresh(chain).status)

    transitions.assign_agent(chain.pk, agent.pk, by="operator")
    see()
    transitions.detach(chain.pk, owner_id=None, by="operator")
    see()
    make_tasks(3, chain=chain)
    give(agent, chain.channel)
    see()
    transitions.detach(chain.pk, owner_id=None, by="operator")
    see()
    tasks.unlock(steps_of(chain)[0].pk, Status.DONE, by="operator")
    see()
    second = give(agent, chain.channel)
    see()
    fail(second)
    see()
    tasks.cancel(steps_of(chain)[2].pk, by="operator")
    see()
    tasks.requeue(steps_of(chain)[1].pk, by="operator")
    see()
    complete(give(agent, chain.channel))
    see()

    assert seen == [
        "queued",  # made
        "in_progress",  # owned
        "queued",  # detached
        "in_progress",  # claimed from
        "locked",  # detached while a task ran
        "queued",  # unlocked
        "in_progress",  # claimed from
        "failed",
        "failed",  # nothing left to do
        "in_progress",  # requeued, owned
        "done",
    ]
    progress = [event[3]["to"] for event in events(chain, "chain.progressed")]
    assert progress == [status for n, status in enumerate(seen) if n and status != seen[n - 1]]


def test_a_chain_with_done_and_cancelled_tasks_is_done():
    chain = make_chain(tasks=2)
    complete(give(make_agent(), chain.channel))

    tasks.cancel(steps_of(chain)[1].pk, by="operator")

    assert fresh(chain).status == "done"


def test_settling_a_chain_does_not_change_other_tasks():
    held = make_held_task()
    before = Task.objects.values().get(pk=held.pk)
    chain = make_chain(held.channel, tasks=2)

    complete(give(make_agent(), chain.channel))
    transitions.detach(chain.pk, owner_id=None, by="operator")

    assert Task.objects.values().get(pk=held.pk) == before
