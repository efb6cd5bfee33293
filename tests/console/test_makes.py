"""Verbs that make something: a reason may be left out, and what is made is audited."""

import pytest

from chains.models import Chain
from dashboard.acts import KINDS
from events.audit import NO_REASON
from events.models import OperatorAction
from tasks.models import Channel, Task, TaskInput
from tests.console.people import browser_of
from tests.factories import fresh, make_agent, make_chain, make_channel, make_held_task, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    return browser_of("Operator")


def act(client, path, **body):
    return client.post(f"/console/{path}", body, content_type="application/json")


def entries():
    return list(OperatorAction.objects.order_by("id").values_list("verb", "kind", "reason"))


def test_a_task_is_made_in_a_channel(operator):
    channel = make_channel()
    body = {"ids": [str(channel.pk)], "values": {"title": "Build it", "priority": "3"}}

    told = act(operator, "channels/new_task", **body, preview=True).json()
    assert told["target"] == channel.name
    assert told["will"] == ["Puts a task “Build it” into the queue of 1 channel."]
    assert not Task.objects.exists()
    answer = act(operator, "channels/new_task", **body)

    task = Task.objects.get()
    assert answer.json()["made"] == [str(task.pk)]
    assert (task.title, task.priority, task.channel_id) == ("Build it", 3, channel.pk)
    assert task.user_id is not None
    assert entries() == [
        ("new_task", "channel", NO_REASON),
        ("new_task", "task", NO_REASON),
    ]


def test_a_task_is_made_in_a_chain_behind_the_others(operator):
    chain = make_chain(tasks=1)

    act(operator, "chains/new_task", ids=[str(chain.pk)], values={"title": "next"}, reason="more")

    assert [task.sequence for task in Task.objects.filter(chain=chain).order_by("id")] == [1, 2]
    assert ("new_task", "task", "more") in entries()


def test_a_chain_is_made(operator):
    channel = make_channel()
    values = {"name": "release", "on_failure": "stop"}

    act(operator, "channels/new_chain", ids=[str(channel.pk)], values=values)

    chain = Chain.objects.get()
    assert (chain.name, chain.on_failure, chain.channel_id) == ("release", "stop", channel.pk)


def test_a_channel_is_made_of_nothing_and_refused_where_its_name_is_taken(operator):
    values = {"name": "Builds"}
    told = act(operator, "channels/new_channel", values=values, preview=True).json()
    assert (told["done"], told["refused"]) == (1, [])

    answer = act(operator, "channels/new_channel", values=values)

    channel = Channel.objects.get()
    assert answer.json() == {"done": 1, "refused": [], "made": [str(channel.pk)]}
    told = act(operator, "channels/new_channel", values=values, preview=True).json()
    assert [one["code"] for one in told["refused"]] == ["conflict"]
    refused = act(operator, "channels/new_channel", values=values).json()
    assert [one["code"] for one in refused["refused"]] == ["conflict"]
    assert Channel.objects.count() == 1
    assert entries() == [("new_channel", "channel", NO_REASON)]


def test_a_claim_for_an_agent_names_the_task(operator):
    task, agent = make_task(title="Build it"), make_agent("agent-7")
    body = {"ids": [str(task.channel_id)], "values": {"agent": agent.pk}}

    told = act(operator, "channels/claim_for", **body, preview=True).json()
    assert "“Build it” goes to agent-7." in told["will"]
    answer = act(operator, "channels/claim_for", **body, reason="it knows how").json()

    assert answer["notes"] == ["“Build it” goes to agent-7."]
    assert (fresh(task).status, fresh(task).agent_id) == ("in_progress", "agent-7")
    told = act(operator, "channels/claim_for", **body, preview=True).json()
    assert told["done"] == 0
    assert told["will"] == ["1 channel is paused or has no ready task: it will refuse."]


def test_an_input_is_sent_to_the_agent_of_a_task_as_it_was_typed(operator):
    task = make_held_task()
    values = {"kind": "text", "text": " yes ", "send_enter": True}

    act(operator, "tasks/send_input", ids=[str(task.pk)], values=values)

    sent = TaskInput.objects.get()
    assert (sent.text, sent.send_enter, sent.agent_id) == (" yes ", True, task.agent_id)
    assert "yes" not in str(list(OperatorAction.objects.values()))


@pytest.mark.parametrize(
    ("result", "stored"), [("", None), ('{"a": 1}', {"a": 1}), ("it went well", "it went well")]
)
def test_a_task_is_completed_with_text_or_json(operator, result, stored):
    task = make_held_task()

    act(operator, "tasks/complete", ids=[str(task.pk)], values={"result": result}, reason="by hand")

    assert (fresh(task).status, fresh(task).result) == ("done", stored)


def test_a_result_that_cannot_be_stored_is_refused_by_its_label(operator):
    task = make_held_task()
    values = {"result": '{"a": "\\u0000"}'}

    answer = act(operator, "tasks/complete", ids=[str(task.pk)], values=values, reason="x")

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("Result: ")
    assert fresh(task).status == "in_progress"


def test_forms_name_their_fields_as_they_are_labelled(operator):
    task = make_task()

    answer = act(operator, "tasks/prioritize", ids=[str(task.pk)], reason="x", values={})
    told = act(
        operator, "tasks/reassign", ids=[str(task.pk)], preview=True, values={"agent": "nobody"}
    )

    assert answer.json()["error"]["message"] == "Priority: This field is required."
    assert told.json()["will"] == ["Agent: There is no such agent."]
    assert told.json()["done"] == 0


def test_a_channel_is_added_to_what_an_agent_serves_and_nothing_is_lost(operator):
    agent, channel = make_agent("agent", subscriptions=("first",)), make_channel("second")

    act(
        operator,
        "agents/subscribe",
        ids=[agent.pk],
        values={"channel": str(channel.pk)},
        reason="it should help",
    )

    assert fresh(agent).subscriptions == ["first", "second"]
    assert fresh(agent).subscriptions_pinned


def test_each_verb_says_what_pages_need():
    for kind in KINDS.values():
        for verb in kind.verbs:
            assert verb.asks_reason or verb.name in {
                "new_task",
                "new_chain",
                "new_channel",
                "request_session",
                "send_input",
                "dismiss",
            }
    listed = browser_of("Viewer").get("/console/verbs").json()
    dangerous = {
        f"{kind}.{verb['name']}"
        for kind, verbs in listed.items()
        for verb in verbs
        if verb["danger"]
    }
    assert dangerous == {
        "tasks.force_cancel",
        "tasks.purge",
        "jobs.cancel",
        "agents.reset",
        "agents.retire",
        "agents.remove",
    }
    fields = {verb["name"]: verb["fields"] for verb in listed["tasks"]}
    assert fields["move"][0]["type"] == "channel"
    assert fields["complete"][0]["type"] == "area"
    assert fields["send_input"][2]["initial"] is True
