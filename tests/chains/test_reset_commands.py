"""`manage.py reset_task` and `reset_agent` put tasks that hang back in the queue."""

from functools import partial
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from chains import resets
from chains import transitions as chains
from chains.management.resetting import actor
from events.models import Event
from tasks import transitions
from tasks.exceptions import WrongStatus
from tasks.models import Attempt, Task
from tasks.rows import Outcome
from tasks.states import Status
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
from tests.racing import at_once
from tests.tasks.reporting import ACCEPTED, complete, report
from tests.tasks.verbs import failed, last_event, make_locked_task, make_of_status

pytestmark = pytest.mark.django_db
ROUNDS = 15


def run(command, *ids, reason="it hangs", **options):
    """The output of the command, and its error or an empty string."""
    out = StringIO()
    try:
        call_command(command, *map(str, ids), reason=reason, stdout=out, **options)
    except CommandError as problem:
        return out.getvalue(), str(problem)
    return out.getvalue(), ""


def rows():
    return [list(kind.objects.order_by("pk").values()) for kind in (Task, Attempt, Event)]


def test_a_held_task_goes_back_to_the_queue_and_uses_no_attempt():
    task = make_held_task(make_agent("agent-1"))

    output, _ = run("reset_task", task.pk)

    assert output == f"{task.pk}: was in_progress with agent-1, is queued\n"
    task = fresh(task)
    assert (task.status, task.agent, task.attempts, task.losses) == (Status.QUEUED, None, 0, 0)
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.agent_id, attempt.reason) == ("reset", "agent-1", "it hangs")
    assert last_event(task) == ("task.retried", actor(), "it hangs")
    assert actor().startswith("command:")
    assert give(make_agent(), task.channel).lease_epoch == 2


def test_a_step_goes_back_to_the_queue_and_its_chain_is_detached():
    chain = make_chain(tasks=2)
    task = give(make_agent("agent-1"), chain.channel)

    output, _ = run("reset_task", task.pk)

    assert output == (
        f"{task.pk}: was in_progress with agent-1, is queued, chain {chain.pk} detached\n"
    )
    chain = fresh(chain)
    assert (chain.owner, chain.status) == (None, "queued")
    assert Attempt.objects.get().outcome == "reset"
    assert give(make_agent(), chain.channel) == task


@pytest.mark.parametrize("kind", ["alone", "in a chain"])
def test_a_task_that_was_asked_to_stop_is_cancelled(kind):
    chain = make_chain(tasks=1) if kind == "in a chain" else None
    task = give(make_agent(), chain.channel) if chain else make_held_task()
    transitions.cancel(task.pk, by="operator")

    output, _ = run("reset_task", task.pk)

    assert "is cancelled" in output
    assert fresh(task).status == Status.CANCELLED


def test_a_failed_task_is_requeued_with_all_its_attempts():
    task = failed(make_held_task())

    output, _ = run("reset_task", task.pk)

    assert output == f"{task.pk}: was failed, is queued\n"
    task = fresh(task)
    assert (task.status, task.attempts, task.dead_letter) == (Status.QUEUED, 0, "")
    assert last_event(task) == ("task.requeued", actor(), "it hangs")


def test_a_locked_task_is_unlocked():
    task = make_locked_task()

    output, _ = run("reset_task", task.pk)

    assert output == f"{task.pk}: was locked, is queued\n"
    assert fresh(task).status == Status.QUEUED
    assert last_event(task) == ("task.unlocked", actor(), "it hangs")


def test_a_queued_task_does_not_change():
    task = make_task()
    before = rows()

    output, problem = run("reset_task", task.pk)

    assert (output, problem) == (f"{task.pk}: was queued, stays queued\n", "")
    assert rows() == before


@pytest.mark.parametrize("status", [Status.DONE, Status.CANCELLED])
def test_a_done_or_cancelled_task_is_refused(status):
    task = make_of_status(status)
    before = rows()

    output, problem = run("reset_task", task.pk)

    assert f"{task.pk}: refused. Task {task.pk} is {status}" in output
    assert problem == "1 of 1 refused."
    assert rows() == before


def test_the_other_tasks_are_reset_when_one_is_refused():
    task, unknown = make_held_task(), uuid4()

    output, problem = run("reset_task", "nonsense", unknown, task.pk.hex.upper())

    refused, unknown_id, reset = output.splitlines()
    assert refused == "nonsense: refused. There is no task 'nonsense'."
    assert unknown_id == f"{unknown}: refused. There is no task {unknown}."
    assert reset.startswith(f"{task.pk}: was in_progress")
    assert problem == "2 of 3 refused."
    assert fresh(task).status == Status.QUEUED


def test_a_dry_run_on_tasks_prints_the_new_status_and_changes_nothing():
    held, dead, locked = (
        make_held_task(make_agent("a")),
        failed(make_held_task()),
        make_locked_task(),
    )
    before = rows()

    output, _ = run("reset_task", held.pk, dead.pk, locked.pk, dry_run=True)

    assert output.splitlines() == [
        f"{held.pk}: was in_progress with a, would be queued",
        f"{dead.pk}: was failed, would be queued",
        f"{locked.pk}: was locked, would be queued",
    ]
    assert rows() == before


@pytest.mark.parametrize(("command", "id_"), [("reset_task", "x"), ("reset_agent", "a")])
def test_a_reason_is_required(command, id_):
    with pytest.raises(CommandError, match="--reason"):
        call_command(command, id_)

    assert run(command, id_, reason=" ")[1] == "--reason must say why."


def test_an_agent_loses_all_tasks_that_it_holds():
    agent = make_agent("agent-1")
    channel = make_task().channel
    make_tasks(2, channel=channel)
    held = take(agent, channel, max_tasks=3)
    others = make_held_task()

    output, _ = run("reset_agent", "agent-1")

    assert output.splitlines() == [
        f"{task.pk}: was in_progress with agent-1, is queued" for task in held
    ]
    assert {fresh(task).status for task in held} == {Status.QUEUED}
    assert fresh(others).status == Status.IN_PROGRESS
    assert set(Attempt.objects.values_list("outcome", "agent_id")) == {("reset", "agent-1")}


def test_an_agent_loses_its_chain_and_the_step_in_progress():
    chain = make_chain(tasks=2)
    task = give(make_agent("agent-1"), chain.channel)

    output, _ = run("reset_agent", "agent-1")

    assert output == (
        f"{task.pk}: was in_progress with agent-1, is queued, chain {chain.pk} detached\n"
    )
    assert fresh(chain).owner is None
    assert give(make_agent(), chain.channel) == task


def test_an_agent_between_two_steps_loses_its_chain():
    chain = make_chain(tasks=2)
    agent = make_agent("agent-1")
    first = give(agent, chain.channel)
    complete(first, by=agent)

    output, _ = run("reset_agent", "agent-1")

    assert output.splitlines() == [
        "agent-1 holds nothing.",
        f"chain {chain.pk}: was owned by agent-1, is free",
    ]
    assert fresh(chain).owner is None


def test_a_dry_run_on_an_agent_changes_nothing():
    chain = make_chain(tasks=1)
    give(make_agent("agent-1"), chain.channel)
    before = rows()

    output, _ = run("reset_agent", "agent-1", dry_run=True)

    assert "would be queued" in output
    assert rows() == before
    assert fresh(chain).owner_id == "agent-1"


def test_an_unknown_agent_is_refused():
    assert run("reset_agent", "nobody")[1] == "There is no agent 'nobody'."


def test_a_late_report_of_the_last_holder_is_accepted():
    task = make_held_task(agent := make_agent())
    run("reset_task", task.pk)

    assert complete(task, by=agent, epoch=1) == ACCEPTED
    assert fresh(task).status == Status.DONE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["alone", "in a chain"])
def test_a_completion_wins_over_a_concurrent_reset(kind):
    """The completion is accepted; the reset comes before it or is refused."""
    for _ in range(ROUNDS):
        agent = make_agent()
        chain = make_chain(tasks=1) if kind == "in a chain" else None
        task = give(agent, chain.channel) if chain else make_held_task(agent)

        def complete(agent=agent, task=task):
            return report(Outcome(task.pk, done=True, epoch=1), by=agent).verdict

        def reset(task=task):
            try:
                return resets.reset_task(task.pk, by="operator", reason="race").now
            except WrongStatus:
                return "refused"

        verdict, became = at_once(complete, reset)

        assert verdict == "accepted"
        assert fresh(task).status == Status.DONE
        assert Attempt.objects.filter(task=task).count() == (became == Status.QUEUED)


@pytest.mark.django_db(transaction=True)
def test_concurrent_resets_claims_and_detaches_do_not_deadlock():
    channel = make_task().channel
    everybody = [make_agent() for _ in range(3)]
    chain = make_chain(channel, tasks=6)
    make_tasks(6, channel=channel)

    def work(agent):
        for _ in range(8):
            for task in take(agent, channel, max_tasks=2):
                report(Outcome(task.pk, done=True), by=agent)

    def reset_agents():
        for _ in range(5):
            for agent in everybody:
                resets.reset_agent(agent.pk, by="operator", reason="race")

    def reset_tasks():
        for _ in range(3):
            for task in Task.objects.open():
                try:
                    resets.reset_task(task.pk, by="operator", reason="race")
                except WrongStatus:
                    assert fresh(task).status in {Status.DONE, Status.CANCELLED}

    def detach():
        for _ in range(5):
            chains.detach(chain.pk, owner_id=None, by="operator")

    at_once(reset_agents, reset_tasks, detach, *[partial(work, agent) for agent in everybody])
    for task in Task.objects.locked():
        resets.reset_task(task.pk, by="operator", reason="race")
    while Task.objects.open().exists():
        for agent in everybody:
            work(agent)

    assert set(Task.objects.values_list("status", flat=True)) == {Status.DONE}
    assert [step.status for step in steps_of(chain)] == [Status.DONE] * 6
    completed = Event.objects.filter(type="task.completed").values_list("task_id", flat=True)
    assert len(completed) == len(set(completed)) == 13
