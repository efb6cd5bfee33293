"""Another priority for queued tasks."""

import pytest

from events.models import Event
from tasks import batches, transitions
from tasks.exceptions import TaskUnknown, WrongStatus
from tasks.models import Task
from tasks.states import Status
from tests.api_v1.calls import UNKNOWN
from tests.factories import fresh, give, make_agent, make_chain, make_channel, make_tasks, steps_of
from tests.tasks.verbs import make_of_status

pytestmark = pytest.mark.django_db


def test_a_task_of_a_higher_priority_is_claimed_first():
    channel = make_channel()
    _, second = make_tasks(2, channel=channel)

    transitions.prioritize(second.pk, 3, by="operator", reason="a release")

    assert give(make_agent(), channel) == second


def test_a_changed_priority_writes_one_event_with_actor_and_reason():
    task = make_tasks(1)[0]

    transitions.prioritize(task.pk, 3, by="operator", reason="a release")
    transitions.prioritize(task.pk, 3, by="operator", reason="a release")

    event = Event.objects.get(type="task.prioritized")
    assert (event.task_id, event.actor, event.reason) == (str(task.pk), "operator", "a release")
    assert event.payload == {"from": 0, "to": 3}


def test_a_priority_does_not_change_the_order_of_a_chain():
    chain = make_chain(tasks=2)
    first, second = steps_of(chain)

    transitions.prioritize(second.pk, 3, by="operator")

    assert give(make_agent(), chain.channel) == first


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.QUEUED}))
def test_only_a_queued_task_can_be_prioritized(status):
    task = make_of_status(status)

    with pytest.raises(WrongStatus):
        transitions.prioritize(task.pk, 3, by="operator")

    assert fresh(task).priority == 0


def test_an_unknown_task_is_refused():
    with pytest.raises(TaskUnknown):
        transitions.prioritize(UNKNOWN, 3, by="operator")


def test_prioritize_all_changes_queued_tasks_with_and_without_chains():
    alone = make_tasks(3)
    chain = make_chain(tasks=2)
    held = give(make_agent(), alone[0].channel)

    changed = batches.prioritize_all(Task.objects.all(), 7, by="operator", reason="a release")

    assert changed == 4
    assert fresh(held).priority == 0
    assert {fresh(task).priority for task in [*alone[1:], *steps_of(chain)]} == {7}
    assert Event.objects.filter(type="task.prioritized", reason="a release").count() == 4
