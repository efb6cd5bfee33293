from uuid import uuid4

import pytest

from chains import transitions as chains
from chains.exceptions import ChainIdUnknown
from events.models import Event
from tasks import transitions
from tasks.exceptions import BadBatch, ChannelExists
from tasks.models import Channel, Task
from tasks.states import Status
from tests.factories import (
    fresh,
    make_agent,
    make_chain,
    make_channel,
    make_task,
    make_tasks,
    steps_of,
    take,
)

pytestmark = pytest.mark.django_db


def test_a_new_task_is_queued_and_writes_an_event_with_its_actor():
    task = make_task(payload={"n": 1}, priority=5)

    assert (task.status, task.blocked, task.sequence) == (Status.QUEUED, False, 0)
    assert (task.lease_epoch, task.attempts, task.agent) == (0, 0, None)
    event = Event.objects.about_task(task.pk).get()
    assert (event.type, event.actor) == ("task.created", "tests")


def test_tasks_are_claimed_in_the_order_they_were_enqueued():
    channel = make_channel()
    tasks = make_tasks(50, channel=channel)

    claimed = take(make_agent(), channel, max_tasks=50)

    assert claimed == tasks


def test_a_large_batch_with_keys_keeps_its_order():
    channel = make_channel()
    keys = [f"{9999 - n}" if n % 2 else "" for n in range(900)]
    mixed = [Task(channel=channel, title="t", idempotency_key=key) for key in keys]

    stored = transitions.enqueue(mixed, by="tests")

    assert list(Task.objects.in_order()) == stored


def test_tasks_are_claimed_by_priority_then_by_age():
    channel = make_channel()
    low = make_task(channel, priority=-1)
    normal = make_tasks(2, channel=channel)
    high = make_task(channel, priority=7)

    assert take(make_agent(), channel, max_tasks=9) == [high, *normal, low]


def test_a_repeated_key_makes_one_task_in_a_channel():
    channel = make_channel()
    first = make_task(channel, idempotency_key="k", title="first")

    again = make_task(channel, idempotency_key="k", title="again")
    elsewhere = make_task(idempotency_key="k")

    assert again == first
    assert again.title == "first"
    assert elsewhere != first


def test_a_key_repeated_in_one_batch_makes_one_task():
    channel = make_channel()
    batch = [Task(channel=channel, title=title, idempotency_key="k") for title in ("one", "two")]

    stored = transitions.enqueue(batch, by="tests")

    assert stored[0] == stored[1]
    assert Task.objects.count() == 1


def test_a_repeated_key_adds_no_task_to_a_chain():
    chain = make_chain()
    first = make_task(chain=chain, idempotency_key="k")

    again = make_task(chain=chain, idempotency_key="k")

    assert again == first
    assert [task.sequence for task in steps_of(chain)] == [1]


def test_a_batch_is_enqueued_as_a_whole_or_not_at_all():
    chain = make_chain(tasks=1)
    batch = [Task(channel=chain.channel, title="alone")]
    batch += [Task(channel=chain.channel, chain=chain, title="taken", sequence=1)]

    with pytest.raises(BadBatch):
        chains.enqueue(batch, by="tests")

    assert Task.objects.count() == 1


def test_a_missing_sequence_is_the_highest_plus_one():
    chain = make_chain(tasks=2)
    given = make_task(chain=chain, sequence=10)
    behind = make_task(chain=chain)
    between = make_task(chain=chain, sequence=5)

    assert [given.sequence, behind.sequence, between.sequence] == [10, 11, 5]


def test_a_batch_may_have_tasks_of_several_chains():
    channel = make_channel()
    first, second = make_chain(channel), make_chain(channel)
    batch = [Task(channel=channel, title="t", chain=chain) for chain in [first, second] * 3]

    chains.enqueue(batch, by="tests")

    assert [task.sequence for task in steps_of(first)] == [1, 2, 3]
    assert [task.sequence for task in steps_of(second)] == [1, 2, 3]


def test_a_task_without_a_chain_ignores_a_sequence():
    assert make_task(sequence=4).sequence == 0


def test_a_task_of_an_unknown_chain_is_refused():
    task = Task(channel=make_channel(), title="t", chain_id=uuid4())

    with pytest.raises(ChainIdUnknown, match="chain_id_not_found"):
        chains.enqueue([task], by="tests")


def test_a_task_in_another_channel_than_its_chain_is_refused():
    chain = make_chain()

    with pytest.raises(BadBatch):
        make_task(make_channel(), chain=chain)

    assert not Task.objects.exists()


def test_a_task_with_a_lower_sequence_takes_the_turn():
    chain = make_chain()
    late = make_task(chain=chain, sequence=5)

    early = make_task(chain=chain, sequence=2)

    assert not early.blocked
    assert fresh(late).blocked


def test_channel_names_are_unique_without_regard_to_case():
    make_channel("Builds")

    with pytest.raises(ChannelExists):
        make_channel("bUILDS")

    assert Channel.objects.count() == 1
