"""The database refuses invalid rows, whoever writes them."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from agents.models import Agent
from chains.models import Chain
from tasks import requirements
from tasks.models import Attempt, ClaimKey, Task, TaskInput
from tests.factories import give, make_agent, make_chain, make_held_task, make_task, steps_of

pytestmark = pytest.mark.django_db


def refused(constraint, change):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        change()
    return True


def written(task, **values):
    return lambda: Task.objects.filter(pk=task.pk).update(**values)


def test_a_task_in_progress_has_an_agent_and_a_queued_one_none():
    held, nobodys = "task_is_held_while_in_progress", "task_is_held_by_nobody_while_queued"

    assert refused(held, written(make_task(), status="in_progress"))
    assert refused(held, written(make_held_task(), agent=None))
    assert refused(nobodys, written(make_task(), agent=make_agent()))


def test_only_a_task_in_progress_has_a_lease():
    assert refused("task_is_leased_only", written(make_task(), lease_expires_at=Now()))


@pytest.mark.parametrize("status", ["done", "failed", "cancelled"])
def test_a_finished_task_has_the_time_of_its_end(status):
    reason = "exhausted" if status == "failed" else ""
    invalid = written(make_held_task(), status=status, dead_letter=reason)

    assert refused("task_is_finished_or_open", invalid)


@pytest.mark.parametrize(("status", "reason"), [("failed", ""), ("done", "exhausted")])
def test_a_task_has_a_dead_letter_reason_only_while_it_is_failed(status, reason):
    invalid = written(make_held_task(), status=status, finished_at=Now(), dead_letter=reason)

    assert refused("task_is_a_dead_letter_when_failed", invalid)


def test_only_a_queued_task_is_postponed():
    assert refused("task_is_postponed_only", written(make_held_task(), postponed=True))


def test_a_task_of_a_chain_has_no_job_and_no_requirement():
    task = make_task(chain=make_chain())
    wanting = written(task, requirement=requirements.of({"algorithm": "PSO"}))

    assert refused("task_of_a_chain_has_no_job", wanting)


def test_an_open_task_has_no_end():
    assert refused("task_is_finished_or_open", written(make_task(), finished_at=Now()))


@pytest.mark.parametrize("invalid", [{"sequence": 1}, {"blocked": True}, {"reserved_for": "a"}])
def test_a_task_without_a_chain_has_no_columns_of_one(invalid):
    make_agent("a")

    assert refused("task_without_chain_stands_alone", written(make_task(), **invalid))


def test_a_task_of_a_chain_has_a_sequence():
    task = make_task(chain=make_chain())

    assert refused("task_without_chain_stands_alone", written(task, sequence=0))


def test_only_an_open_task_is_reserved():
    task = make_task(chain=make_chain())
    invalid = {"status": "done", "finished_at": Now(), "reserved_for": make_agent()}

    assert refused("task_is_reserved_only_while_open", written(task, **invalid))


def test_only_epochs_that_were_leased_can_be_closed():
    invalid = written(make_held_task(), closed_epoch=F("lease_epoch") + 1)

    assert refused("task_closes_only_epochs_it_had", invalid)


def test_a_sequence_is_unique_in_its_chain():
    _, second = steps_of(make_chain(tasks=2))

    assert refused("task_sequence_is_unique_in_its_chain", written(second, sequence=1))


def test_only_one_task_of_a_chain_has_the_turn():
    _, second = steps_of(make_chain(tasks=2))

    assert refused("task_has_the_turn_alone", written(second, blocked=False))


@pytest.mark.parametrize("status", ["in_progress", "locked"])
def test_no_other_task_of_a_chain_has_the_turn_while_one_is_active(status):
    chain = make_chain(tasks=2)
    first = give(agent := make_agent(), chain.channel)
    if status == "locked":
        written(first, status="locked", reserved_for=None)()
    behind = steps_of(chain)[1]

    runs = written(behind, status="in_progress", agent=agent, blocked=False)
    assert refused("task_has_the_turn_alone", runs)
    assert refused("task_has_the_turn_alone", written(behind, blocked=False))


def test_only_a_queued_task_is_blocked():
    chain = make_chain(tasks=1)
    task = give(make_agent(), chain.channel)

    assert refused("task_is_blocked_only_while_queued", written(task, blocked=True))


def test_new_tasks_are_checked_too():
    channel = make_task().channel

    def add(**fields):
        return lambda: Task.objects.create(channel=channel, title="t", **fields)

    assert refused("task_is_held_while_in_progress", add(status="in_progress"))
    assert refused("task_is_finished_or_open", add(status="done"))
    assert refused("task_without_chain_stands_alone", add(sequence=1))


def test_a_key_is_unique_in_its_channel():
    task = make_task(idempotency_key="k")
    other = make_task(task.channel, idempotency_key="l")

    assert refused("task_key_is_unique_in_its_channel", written(other, idempotency_key="k"))


def test_an_attempt_ends_once():
    task = make_task()

    def end():
        Attempt.objects.create(task=task, epoch=1, agent_id="a", outcome="failed")

    end()
    assert refused("attempt_ends_once", end)


def test_a_claim_key_is_unique():
    def use():
        ClaimKey.objects.create(agent_id="a", key="k", task_ids=[])

    use()
    assert refused("claim_key_is_used_once", use)


def test_an_input_key_is_unique_for_its_task():
    task = make_task()

    def send():
        TaskInput.objects.create(task=task, agent_id="a", idempotency_key="k")

    send()
    assert refused("task_input_key_is_unique", send)


def test_an_agent_owns_one_chain():
    first, second = make_chain(), make_chain()
    agent = make_agent()
    Chain.objects.filter(pk=first.pk).update(owner=agent)

    assert refused(
        "chain_owner_owns_one_chain",
        lambda: Chain.objects.filter(pk=second.pk).update(owner=agent),
    )


def test_names_are_not_empty_and_channel_names_differ_by_more_than_case():
    channel = make_task().channel
    channels = type(channel).objects

    assert refused("agent_id_is_not_empty", lambda: Agent.objects.create(id=""))
    assert refused("channel_name_is_not_empty", lambda: channels.create(name=""))
    assert refused("channel_name_is_unique", lambda: channels.create(name=channel.name.upper()))
