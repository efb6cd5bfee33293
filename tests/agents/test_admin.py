"""Verbs on agents in the admin: applied, refused, forbidden, audited."""

import pytest

from agents.models import Agent
from chains.models import Chain
from events.models import OperatorAction
from tasks.states import Status
from tests.console.clicking import choose, click, list_of, messages_of, page_of
from tests.console.people import browser_of
from tests.factories import fresh, give, make_agent, make_chain, make_held_task, silence

pytestmark = pytest.mark.django_db

VERBS = ["drain", "resume", "reset", "retire"]


@pytest.fixture
def administrator():
    return browser_of("Admin")


@pytest.mark.parametrize(
    ("verb", "before", "after", "will"),
    [
        ("drain", False, True, "1 agent finishes what it has and claims no more."),
        ("resume", True, False, "1 agent claims again."),
        ("reset", False, False, "Nothing changes."),
        ("retire", False, True, "1 agent claims no more."),
    ],
)
def test_a_verb_is_shown_confirmed_and_written_down(administrator, verb, before, after, will):
    agent = make_agent("rack/agent-1", draining=before)

    shown = administrator.get(page_of(agent, "verb", verb))
    done = click(administrator, agent, verb, "new disks")

    assert shown.context["will"][0] == will
    assert "1 done." in messages_of(done)[0]
    assert fresh(agent).draining == after
    action = OperatorAction.objects.about("agent", agent.pk).get()
    assert (action.verb, action.actor, action.reason) == (verb, "user:admin", "new disks")
    assert (action.before["draining"], action.after["draining"]) == (before, after)


@pytest.mark.parametrize("verb", VERBS)
def test_an_agent_that_is_gone_refuses(administrator, verb):
    agent = make_agent()
    Agent.objects.filter(pk=agent.pk).delete()

    done = click(administrator, agent, verb)

    assert "1 done." not in messages_of(done)[0]
    assert not OperatorAction.objects.exists()


@pytest.mark.parametrize(
    ("group", "verb"),
    [("Viewer", "drain"), ("Viewer", "resume"), ("Viewer", "reset"), ("Operator", "retire")],
)
def test_a_verb_needs_its_permission(group, verb):
    agent = make_agent()
    browser = browser_of(group)

    assert click(browser, agent, verb).status_code == 403
    choose(browser, [agent], verb)
    assert not OperatorAction.objects.exists()


def test_retiring_takes_back_all_tasks_of_the_agent(administrator):
    agent = make_agent()
    chain = make_chain(tasks=2)
    task = give(agent, chain.channel)

    shown = administrator.get(page_of(agent, "verb", "retire"))
    click(administrator, agent, "retire")

    assert shown.context["will"] == [
        "1 agent claims no more.",
        "Takes 1 task in progress from its agent and puts it back in the queue.",
        "Ownership of 1 chain ends.",
    ]
    assert fresh(task).status == Status.QUEUED
    assert not Chain.objects.owned_by(agent.pk).exists()


def test_many_agents_are_drained_from_the_list(administrator):
    agents = [make_agent(), make_agent()]

    done = choose(administrator, agents, "drain")

    assert messages_of(done) == ["Drain: 2 done."]
    assert all(fresh(agent).draining for agent in agents)


def test_an_agent_s_page_shows_its_tasks(administrator):
    agent = make_agent("rack/agent-1")
    make_held_task(agent, title="paint the wall")

    page = administrator.get(page_of(agent))

    assert "paint the wall" in page.content.decode()
    assert administrator.post(page_of(agent), {"name": "forged"}).status_code == 403


@pytest.mark.parametrize(("presence", "shown"), [("online", "agent-1"), ("lost", "agent-2")])
def test_the_list_of_agents_is_filtered_by_presence(administrator, presence, shown):
    make_agent("agent-1")
    silence(make_agent("agent-2"))

    page = administrator.get(list_of(Agent), {"presence": presence}).content.decode()

    assert [name for name in ("agent-1", "agent-2") if name in page] == [shown]
