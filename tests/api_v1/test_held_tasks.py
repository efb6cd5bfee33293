"""The tasks that a heartbeat lists, and their part of the answer."""

import pytest

from agents.models import Agent
from tasks.models import Task
from tests.api_v1.calls import UNKNOWN, data, message, refusal
from tests.factories import let_lease_run_out, silence

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


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"tasks": [None]}, "tasks[0] must be an object"),
        ({"tasks": [{"id": UNKNOWN, "lease_epoch": 0}]}, "tasks[0].lease_epoch must be from 1"),
        ({"tasks": [UNKNOWN] * 1001}, "tasks must not have more than 1000 items"),
        ({"tasks": ["\0"]}, "tasks[0].id must not contain NUL"),
        ({"waiting": [5]}, "waiting[0] must be an object"),
        ({"waiting": {}}, "waiting must be a list"),
        ({"incarnation": "x" * 201}, "incarnation must not be longer than 200"),
        ({"incarnation": "\0"}, "incarnation must not contain NUL"),
    ],
)
def test_a_known_agent_with_a_wrong_list_or_incarnation_is_heard(api, held, wrong, says):
    silence(Agent.objects.get(pk="a"))
    body = {"tasks": [], "waiting": []} | wrong
    name = "waiting" if "tasks" in wrong else "tasks"
    body[name] = [*body[name], held["id"]]

    response = api.post("/agents/heartbeat", agent_id="a", **body)

    assert refusal(response)[0] == 400
    assert says in message(response)
    assert Agent.objects.online().exists()
    assert api.fresh(held)["lease_expires_at"] > held["lease_expires_at"]


def test_of_a_wrong_list_what_is_right_is_renewed(api, held):
    response = api.post("/agents/heartbeat", agent_id="a", tasks=[None, held["id"], 5])

    assert message(response).startswith("tasks[0] ")
    assert api.fresh(held)["lease_expires_at"] > held["lease_expires_at"]


def test_what_is_no_id_comes_back_as_it_was_sent(api, held):
    body = api.beat("a", tasks=[held["id"], "job 7"], waiting=["Ü"])

    assert (body["renewed"], sorted(body["lost"])) == ([held["id"]], ["job 7", "Ü"])


def test_a_heartbeat_that_lists_tasks_is_told_what_it_holds_besides(api, channel, held):
    api.task(channel)
    other = api.claim("a", channel)

    assert api.beat("a", tasks=[held["id"]])["unlisted"] == [other["id"]]
    assert api.beat("a", tasks=[])["unlisted"] == [held["id"], other["id"]]
    assert "unlisted" not in api.beat("a", tasks=[held["id"], other["id"]])
    for silent in ({}, {"tasks": None}):
        assert "unlisted" not in api.beat("a", **silent)


def test_what_waits_is_renewed_and_is_no_news(api, channel, held):
    api.task(channel)
    waiting = api.claim("a", channel, lease_seconds=60)

    body = api.beat("a", tasks=[held["id"]], waiting=[waiting["id"], UNKNOWN])

    assert body["renewed"] == [held["id"], waiting["id"]]
    assert body["lost"] == [UNKNOWN]
    assert "unlisted" not in body
    named = Task.objects.filter(named_epoch=1).values_list("pk", flat=True)
    assert [str(pk) for pk in named] == [held["id"]]


def test_an_agent_that_restarted_gives_back_what_it_does_not_know_and_works_on(api, channel):
    api.task(channel)
    api.beat("a", capacity=1)
    held = api.claim("a", channel)
    again = api.post("/tasks/claim", agent_id="a", channel="work", max_tasks=1)
    assert data(again)["tasks"] == []

    for task_id in api.beat("a", tasks=[])["unlisted"]:
        released = api.post(f"/tasks/{task_id}/release", agent_id="a", lease_epoch=1)
        assert data(released)["task"]["status"] == "queued"

    assert api.claim("a", channel)["id"] == held["id"]
    assert "bad_attempts" in api.fresh(held)


def test_a_release_is_refused_with_a_code(api, channel, held):
    path = f"/tasks/{held['id']}/release"

    assert refusal(api.post(path, agent_id="b")) == (409, "conflict")
    assert refusal(api.post(path, agent_id="a", lease_epoch=2)) == (409, "lease_lost")
    assert refusal(api.post(f"/tasks/{UNKNOWN}/release", agent_id="a")) == (404, "not_found")
    assert data(api.post(path, agent_id="a", reason="x\0"))["task"]["fail_reason"] == "x\u2400"


def test_a_new_process_of_an_agent_frees_what_the_one_before_it_held(api, channel):
    api.task(channel)
    assert api.beat("a", incarnation="one", capacity=1)["agent"]["incarnation"] == "one"
    held = api.claim("a", channel, incarnation="one")

    body = api.beat("a", incarnation="two", tasks=[held["id"]])

    assert (body["lost"], body["renewed"]) == ([held["id"]], [])
    assert api.claim("a", channel, incarnation="two")["id"] == held["id"]


def test_a_claim_of_a_new_process_frees_first(api, channel):
    api.task(channel)
    held = api.claim("a", channel, incarnation="one")

    assert api.claim("a", channel, incarnation="two")["id"] == held["id"]
    assert api.fresh(held)["lease_epoch"] == 2


def test_a_process_that_was_replaced_gets_409_and_changes_nothing(api, channel):
    api.beat("a", incarnation="one")
    api.beat("a", incarnation="two", name="new")
    task = api.task(channel)

    beat = api.post("/agents/heartbeat", agent_id="a", incarnation="one", name="old")
    claim = api.post("/tasks/claim", agent_id="a", channel="work", incarnation="one")

    assert refusal(beat) == refusal(claim) == (409, "agent_replaced")
    assert api.agent("a")["name"] == "new"
    assert api.fresh(task)["status"] == "queued"
    events = data(api.get("/events", agent_id="a"))["events"]
    assert [event["type"] for event in events] == ["agent.was_doubled", "agent.restarted"]


def test_an_agent_with_bad_data_is_present_and_renews_its_tasks(api, channel, held):
    api.beat("a", meta={"pid": 7}, capacity=5, capabilities={"gpu": ["t4"]})
    silence(Agent.objects.get(pk="a"))

    body = api.beat(
        "a",
        tasks=[held["id"]],
        name="n" * 300,
        meta={"x": "y" * 70_000},
        capacity="many",
        capabilities=["gpu"],
    )

    assert body["renewed"] == [held["id"]]
    assert body["ignored"].keys() == {"meta", "capacity", "capabilities"}
    assert "meta must not be larger" in body["ignored"]["meta"]
    agent = body["agent"]
    assert (agent["meta"], agent["capacity"], agent["capabilities"]) == (
        {"pid": 7},
        5,
        {"gpu": ["t4"]},
    )
    assert len(agent["name"]) == 200
    assert Agent.objects.online().filter(pk="a").exists()


def test_texts_of_a_heartbeat_that_cannot_be_stored_are_shown_with_marks(api):
    body = api.beat("a", name="x\0", meta={"log\0": ["\ud800"], "n": 1}, capabilities={"k": ["\0"]})

    assert body["agent"]["name"] == "x\u2400"
    assert body["agent"]["meta"] == {"log\u2400": ["\ufffd"], "n": 1}
    assert body["agent"]["capabilities"] == {"k": ["\u2400"]}
    assert "ignored" not in body
