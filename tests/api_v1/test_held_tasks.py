"""The tasks that a heartbeat lists, and their part of the answer."""

import pytest

from agents.models import Agent
from tasks.models import Task
from tests.api_v1.calls import UNKNOWN, message, refusal
from tests.factories import let_lease_run_out

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(api):
    return api.channel()


@pytest.fixture
def held(api, channel):
    """A task that agent `a` holds for a minute."""
    api.task(channel)
    return api.claim("a", channel, lease_seconds=60)


def test_a_heartbeat_renews_the_tasks_it_lists(api, channel, held):
    other = api.task(channel)
    let_lease_run_out(Task.objects.get(pk=held["id"]))

    body = api.beat("a", tasks=[held["id"], other["id"]])

    assert (body["renewed"], body["lost"]) == ([held["id"]], [other["id"]])
    assert api.fresh(held)["lease_expires_at"] > held["lease_expires_at"]


def test_a_heartbeat_may_name_the_lease_epoch(api, held):
    right = api.beat("a", tasks=[{"id": held["id"], "lease_epoch": 1}])
    stale = api.beat("a", tasks=[{"id": held["id"], "lease_epoch": 2}])

    assert (right["renewed"], right["lost"]) == ([held["id"]], [])
    assert (stale["renewed"], stale["lost"]) == ([], [held["id"]])


def test_a_heartbeat_of_another_renews_nothing(api, held):
    body = api.beat("b", tasks=[held["id"]])

    assert (body["renewed"], body["lost"]) == ([], [held["id"]])


def test_an_agent_without_tasks_gets_a_plain_answer(api):
    body = api.beat("a")

    assert {k: v for k, v in body.items() if k != "agent"} == {
        "renewed": [],
        "lost": [],
        "cancel_asked": [],
        "drain": False,
    }


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ("x", "tasks"),
        ([5], "tasks[0]"),
        ([None], "tasks[0]"),
        ([UNKNOWN, {}], "tasks[1].id_required"),
        ([{"id": 5}], "tasks[0].id"),
        ([{"id": UNKNOWN, "lease_epoch": "1"}], "tasks[0].lease_epoch"),
        ([UNKNOWN] * 1001, "tasks"),
    ],
)
def test_invalid_tasks_are_refused_by_their_place(api, tasks, says):
    response = api.post("/agents/heartbeat", agent_id="a", tasks=tasks)

    assert refusal(response)[0] == 400
    assert says in message(response)
    assert not Agent.objects.exists()
