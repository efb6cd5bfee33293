"""Agents that are long gone and own nothing are removed; one that appears again is made anew."""

from datetime import timedelta
from functools import partial

import pytest

from agents import transitions as agents
from agents.models import Agent, Notification
from chains import gone_agents, resets
from events.models import Event, OperatorAction
from tasks import claims
from tasks.rows import ClaimRequest
from tasks.states import Status
from tests.api_v1.calls import Api, data, refusal
from tests.console.clicking import click
from tests.console.people import browser_of
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_task,
    silence,
    steps_of,
)
from tests.racing import at_once
from tests.tasks.reporting import complete

pytestmark = pytest.mark.django_db

LONG = timedelta(days=31)


def make_gone(agent_id="", **fields):
    return make_agent(agent_id, seen_ago=LONG, **fields)


def ids():
    return set(Agent.objects.values_list("pk", flat=True))


def test_an_agent_that_is_long_gone_is_removed_and_the_journal_says_so():
    gone = make_gone("gone")
    here = make_agent("here", seen_ago=LONG - timedelta(days=2))

    assert gone_agents.remove() == 1

    assert ids() == {here.pk}
    event = Event.objects.get(type="agent.removed")
    assert (event.agent_id, event.actor, event.reason) == (gone.pk, "coordinator", "retention")
    assert gone_agents.remove() == 0


def test_what_a_removed_agent_has_done_keeps_its_name(client):
    agent = make_agent("worker")
    task = make_held_task(agent)
    complete(task, by=agent)
    silence(agent, LONG)

    assert gone_agents.remove() == 1

    shown = data(Api(client).get(f"/tasks/{task.pk}"))["task"]
    assert (shown["status"], shown["assigned_agent_id"]) == (Status.DONE, "worker")
    assert len(data(Api(client).get("/tasks", agent_id="worker"))["tasks"]) == 1
    for page in (f"/admin/tasks/task/{task.pk}/change/", "/admin/tasks/task/"):
        assert browser_of("Viewer").get(page).status_code == 200


@pytest.mark.parametrize("owns", ["task", "turn", "chain", "locked", "call"])
def test_an_agent_that_has_something_stays(owns):
    agent = make_agent("a")
    if owns == "task":
        make_held_task(agent)
    elif owns == "call":
        agents.beat(agents.Beat("a", meta={"state": "setup_waiting"}))
    else:
        chain = make_chain(tasks=2)
        task = give(agent, chain.channel)
        if owns in {"turn", "chain"}:
            complete(task, by=agent)
        if owns == "chain":
            complete(give(agent, chain.channel), by=agent)
    silence(agent, LONG)

    assert gone_agents.remove() == 0
    assert ids() == {"a"}


def test_a_call_that_was_dismissed_keeps_nobody():
    agents.beat(agents.Beat("a", meta={"state": "setup_waiting"}))
    agents.dismiss("a", "setup_waiting")
    silence(fresh(Agent.objects.get()), LONG)

    assert gone_agents.remove() == 1
    assert not Notification.objects.exists()


def test_without_retention_all_stay(settings):
    settings.AGENT_RETENTION = timedelta()
    make_gone()

    assert gone_agents.remove() == 0


def test_many_are_removed_in_batches_and_a_pass_removes_so_many(monkeypatch):
    monkeypatch.setattr(gone_agents, "BATCH", 3)
    monkeypatch.setattr(gone_agents, "MOST", 7)
    for number in range(12):
        make_gone(f"gone-{number}")

    assert gone_agents.remove() == 9
    assert gone_agents.remove() == 3


def test_an_agent_that_appears_again_is_made_anew():
    make_gone("a", draining=True)
    gone_agents.remove()
    task = make_task()

    assert give(make_agent("a"), task.channel) == task
    assert not Agent.objects.get(pk="a").draining


@pytest.mark.django_db(transaction=True)
def test_an_agent_that_claims_while_it_is_removed_has_its_task_and_a_row():
    channel = make_channel()
    for number in range(15):
        name = f"a{number}"
        make_gone(name)
        make_task(channel)
        claim = partial(claims.claim, ClaimRequest(name, ids=[channel.pk]))

        at_once(claim, gone_agents.remove, claim, gone_agents.remove)

        assert name in ids()


def test_a_retired_agent_may_be_removed_with_what_it_had_given_back():
    chain = make_chain(tasks=2)
    agent = make_agent("a")
    give(agent, chain.channel)

    resets.remove_agent("a", by="operator", reason="sold")

    assert not ids()
    assert fresh(chain).owner_id is None
    assert [step.status for step in steps_of(chain)] == [Status.QUEUED, Status.QUEUED]
    event = Event.objects.get(type="agent.removed")
    assert (event.actor, event.reason) == ("operator", "sold")


def test_an_agent_is_retired_over_the_api(client):
    api = Api(client)
    task = make_held_task(make_agent("rack/a"))

    retired = data(api.post("/agents/rack%2Fa/retire", reason="sold"))

    assert retired == {
        "agent_id": "rack/a",
        "removed": False,
        "tasks": [{"id": str(task.pk), "was": "in_progress", "status": "queued"}],
    }
    assert Agent.objects.get().draining
    assert data(api.post("/agents/rack%2Fa/retire", remove=True))["removed"]
    assert not ids()
    assert refusal(api.post("/agents/rack%2Fa/retire")) == (404, "not_found")


def test_only_an_administrator_retires():
    make_agent("a")
    page = browser_of("Operator")

    answer = page.post("/v1/agents/a/retire", "{}", content_type="application/json")

    assert answer.status_code == 403
    assert not Agent.objects.get().draining


def test_an_agent_is_removed_on_its_page():
    agent = make_agent("a")

    click(browser_of("Admin"), agent, "remove", "sold")

    assert not ids()
    action = OperatorAction.objects.about("agent", "a").get()
    assert (action.verb, action.reason, action.after) == ("remove", "sold", {})
