"""The reapers' log lines, in the words of seed 004."""

import logging
from datetime import timedelta

import pytest

from agents import transitions as agents
from agents.models import Protocol
from coordinator_project.reapers import AgentReaper, reap_tasks
from tasks import transitions
from tasks.models import Task
from tasks.states import Status
from tests.factories import (
    fresh,
    let_lease_run_out,
    make_agent,
    make_channel,
    make_held_task,
    make_tasks,
    silence,
    take,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def logged(caplog):
    """The log lines of the reapers so far, with their levels."""
    caplog.set_level(logging.INFO, "coordinator.reapers")
    return lambda: [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == "coordinator.reapers"
    ]


def make_spot(spot_id, tasks=0):
    spot = agents.beat(agents.Beat(spot_id, protocol=Protocol.SPOT))
    channel = make_channel()
    if tasks:
        make_tasks(tasks, channel=channel)
        take(spot, channel, max_tasks=tasks)
    return spot


def test_an_expired_task_that_is_retried_is_a_line(logged):
    task = make_held_task()
    let_lease_run_out(task)

    assert reap_tasks() == 1

    assert logged() == [("INFO", f"Reaped task {task.pk} for retry")]


def test_an_expired_task_that_has_failed_for_good_is_a_warning(logged):
    task = make_held_task(max_attempts=1)
    let_lease_run_out(task)

    assert reap_tasks() == 1

    assert logged() == [("WARNING", f"Task {task.pk} permanently failed after 1 attempts")]


def test_a_cancelled_one_is_taken_back_without_a_line(logged):
    task = make_held_task()
    transitions.cancel(task.pk, by="operator")
    let_lease_run_out(task)

    assert reap_tasks() == 1

    assert fresh(task).status == Status.CANCELLED
    assert logged() == []


def test_of_very_many_the_first_are_logged_and_the_rest_is_counted(logged):
    channel = make_channel()
    make_tasks(50, channel=channel)
    for task in take(make_agent(), channel, max_tasks=50):
        let_lease_run_out(task)

    assert reap_tasks() == 50

    lines = [line for _, line in logged()]
    assert len(lines) == 21
    assert lines[-1] == "… and 30 tasks more"


def test_spots_that_are_lost_are_one_line_with_the_tasks_that_they_held(logged):
    spots = [make_spot("spot-1", tasks=3), make_spot("spot-2", tasks=2), make_spot("spot-3")]
    reaper = AgentReaper()
    reaper.announce()
    for spot in spots[:2]:
        silence(spot, timedelta(seconds=11))

    assert (reaper.announce(), reaper.release()) == (2, 5)

    assert logged() == [("INFO", "Reaped 2 stale SPOTs, freed 5 tasks")]
    assert Task.objects.queued().count() == 5
    assert (reaper.announce(), reaper.release()) == (0, 0)
    assert len(logged()) == 1


def test_a_silent_spot_without_tasks_is_logged_too(logged):
    spot = make_spot("spot-1")
    reaper = AgentReaper()
    silence(spot, timedelta(seconds=11))

    reaper.announce()
    reaper.release()

    assert logged() == [("INFO", "Reaped 1 stale SPOTs, freed 0 tasks")]


def test_agents_of_other_protocols_have_a_line_of_their_own(logged):
    agent = make_agent()
    make_held_task(agent)
    spot = make_spot("spot-1", tasks=1)
    reaper = AgentReaper()
    silence(agent)
    silence(spot)

    reaper.announce()
    reaper.release()

    assert set(logged()) == {
        ("INFO", "Reaped 1 stale agents, freed 1 tasks"),
        ("INFO", "Reaped 1 stale SPOTs, freed 1 tasks"),
    }


def test_an_agent_that_is_only_offline_is_not_reaped(logged):
    agent = make_agent()
    task = make_held_task(agent)
    reaper = AgentReaper()
    reaper.announce()
    silence(agent, timedelta(seconds=60))

    assert (reaper.announce(), reaper.release()) == (1, 0)

    assert logged() == []
    assert fresh(task).status == Status.IN_PROGRESS


def test_a_task_that_lost_its_last_agent_is_a_warning(logged, settings):
    settings.MAX_LOSSES = 1
    spot = make_spot("spot-1", tasks=1)
    silence(spot)
    reaper = AgentReaper()

    reaper.announce()
    reaper.release()

    task = Task.objects.get()
    assert ("WARNING", f"Task {task.pk} permanently failed after 1 lost agents") in logged()
    assert ("INFO", "Reaped 1 stale SPOTs, freed 1 tasks") in logged()
