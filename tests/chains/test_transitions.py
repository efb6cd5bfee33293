import pytest

from chains import transitions
from chains.exceptions import ChainInUse, NotOwner
from events.models import Event
from tasks.models import Attempt, Task
from tests.chains.steps import events, picture, refused
from tests.factories import fresh, give, make_agent, make_chain, make_task, steps_of, take
from tests.tasks.reporting import complete
from tests.tasks.verbs import last_event

pytestmark = pytest.mark.django_db


# Detach.


def test_detaching_stores_a_bad_attempt_and_writes_events():
    chain = make_chain(tasks=2)
    agent = make_agent("a")
    task = give(agent, chain.channel, lease_seconds=60)

    transitions.detach(chain.pk, owner_id="a", by="operator", reason="stuck")

    assert picture(chain) == [("locked", "turn", "anyone"), ("queued", "-", "anyone")]
    assert (fresh(task).lease_expires_at, fresh(task).attempts) == (None, 0)
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.agent_id, attempt.reason) == ("detached", "a", "stuck")
    assert events(chain, "chain.released") == [
        ("chain.released", "operator", "a", {"from": "a", "to": None})
    ]
    assert last_event(task) == ("task.locked", "operator", "stuck")


def test_a_detached_agent_may_claim_other_tasks():
    chain = make_chain(tasks=2)
    agent = make_agent()
    give(agent, chain.channel)
    make_task(chain.channel)
    assert take(agent, chain.channel) == []

    transitions.detach(chain.pk, owner_id=agent.pk, by="operator")

    assert give(agent, chain.channel).chain is None


def test_an_agent_cannot_detach_a_chain_without_an_owner():
    assert refused(NotOwner, transitions.detach, make_chain(tasks=1), owner_id="a", by="a")


# Delete.


@pytest.mark.parametrize("state", ["running", "locked"])
def test_a_chain_with_an_active_task_cannot_be_deleted(state):
    chain = make_chain(tasks=2)
    give(make_agent(), chain.channel)
    if state == "locked":
        transitions.detach(chain.pk, owner_id=None, by="operator")

    assert refused(ChainInUse, transitions.delete, chain, by="operator")


def test_deleting_a_chain_frees_its_owner():
    chain = make_chain(tasks=2)
    agent = make_agent()
    complete(give(agent, chain.channel))

    transitions.delete(chain.pk, by="operator")

    make_task(chain.channel)
    assert give(agent, chain.channel).chain is None
    deleted = Event.objects.filter(type__in=["chain.deleted", "task.deleted"])
    assert {event.actor for event in deleted} == {"operator"}
    assert deleted.count() == 3


def test_deleting_a_chain_does_not_change_other_tasks():
    chain = make_chain(tasks=2)
    others = [make_task(chain.channel), *steps_of(make_chain(chain.channel, tasks=1))]

    transitions.delete(chain.pk, by="operator")

    assert list(Task.objects.order_by("id")) == others
