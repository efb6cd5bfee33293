"""The map from the journal to what is broadcast, held to the edges of the life of a task."""

import pytest

from collab import broadcasts, envelope
from collab.broadcasts import BUS, DEAD_LETTERED, SUCCEEDED
from collab.states import SIMPLE
from events.models import Event
from tasks.states import CLAIM, EDGES, FINISHED, RETRY, Status

ENDED = {
    Status.DONE: SUCCEEDED,
    Status.FAILED: ("job.failed",),
    Status.CANCELLED: ("job.error",),
}
"""What is told of a job that ends so, by whichever edge."""

OTHERS = {
    "task.claimed": ("job.claimed",),
    "task.retried": ("job.failed",),
    "task.locked": ("job.locked",),
    "task.unlocked": ("job.unlocked",),
    "task.requeued": ("job.requeued",),
    "task.restored": ("job.restored",),
}


def event(type_, **fields):
    given = {"source": "coordinator", "task_id": "t", "agent_id": "a", "payload": {}} | fields
    return Event(type=type_, **given)


def told(row, channel):
    return [one.type for one in broadcasts.broadcasts(row, row.payload) if channel in one.channels]


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge.event} to {edge.target}")
def test_every_edge_is_told(edge):
    row = event(edge.event, payload={"to": edge.target})

    assert told(row, "jobs:t") == list(ENDED.get(edge.target) or OTHERS[edge.event])
    assert broadcasts.ends(row, row.payload) == (edge.target in FINISHED)
    letter = [DEAD_LETTERED] if edge.target == Status.FAILED else []
    assert told(row, BUS) == [*told(row, "jobs:t"), *letter]
    assert {"jobs:t", "agents:a", BUS} == set(broadcasts.concerns(row))


def test_every_status_that_ends_a_task_ends_its_job():
    assert {*ENDED} == FINISHED
    assert {SIMPLE[status] for status in ENDED} == {"succeeded", "dead_lettered", "cancelled"}


@pytest.mark.parametrize(
    ("outcome", "on_job", "on_bus", "of_agent"),
    [
        ("failed", ["job.failed"], ["job.failed"], ["task.error"]),
        ("timed_out", ["job.failed"], ["job.failed"], ["task.error"]),
        ("expired", [], ["job.lease_expired"], ["task.error"]),
        ("lost", [], ["job.lease_expired"], ["task.error"]),
        ("released", ["job.released"], ["job.released"], []),
        ("refused", ["job.released"], ["job.released"], []),
    ],
)
def test_a_return_to_the_queue_is_told_by_how_the_lease_ended(outcome, on_job, on_bus, of_agent):
    row = event(RETRY.event, payload={"to": "queued", "outcome": outcome})

    assert (told(row, "jobs:t"), told(row, BUS), told(row, "agents:a")) == (
        on_job,
        on_bus,
        of_agent,
    )


@pytest.mark.parametrize(
    ("type_", "types"),
    [
        ("task.created", ["job.created"]),
        ("task.started", ["job.started"]),
        ("task.progress", ["job.progress"]),
        ("task.lease_renewed", []),
        ("task.prioritized", ["job.prioritized"]),
        ("task.deleted", ["job.deleted"]),
    ],
)
def test_events_that_are_no_change_of_status(type_, types):
    assert told(event(type_), "jobs:t") == types


@pytest.mark.parametrize(
    "row",
    [
        event(CLAIM.event, source="agent"),
        event(CLAIM.event, job_id="j"),
        event("chain.acquired"),
        event("input.sent"),
        event("agent.came_online", source="agent"),
    ],
    ids=lambda row: f"{row.source} {row.type}",
)
def test_what_is_about_no_job_is_not_told(row):
    assert list(broadcasts.broadcasts(row, row.payload)) == list(broadcasts.concerns(row)) == []


def test_workers_and_channels_are_told_on_the_bus():
    assert told(event("agent.was_lost", task_id=None), "agents:a") == ["agent.status"]
    assert told(event("agent.was_lost", task_id=None), BUS) == ["agent.status"]
    assert told(event("channel.paused", task_id=None, agent_id=None), BUS) == ["channel.paused"]


@pytest.mark.parametrize(
    ("actor", "agent", "role"),
    [
        ("agent:w:1", "w:1", "worker"),
        ("user:ann", "ann", "user"),
        ("token", "token", "operator"),
        ("coordinator", "coordinator", "coordinator"),
    ],
)
def test_who_did_it(actor, agent, role):
    assert envelope.actor_of(actor) == {"agent": agent, "role": role}
