"""Who has fewer rights than a verb asks for, from the beginning or since the preview."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from agents.models import Agent
from events.models import OperatorAction
from tests.console.clicking import choose, click, list_of, page_of
from tests.console.people import browser_of, group_of
from tests.factories import fresh, make_agent, make_task

pytestmark = pytest.mark.django_db


def who_may(*codenames):
    person = User.objects.create_user("-".join(codenames) or "nobody")
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    browser = Client()
    browser.force_login(person)
    return browser


def act(browser, path, **body):
    return browser.post(path, body, content_type="application/json")


def ways(browser, task):
    """The ways of cancelling a task, each with its status."""
    body = {"ids": [str(task.pk)], "reason": "x"}
    yield click(browser, task, "cancel").status_code
    yield choose(browser, [task], "cancel").status_code
    yield act(browser, "/console/tasks/cancel", **body).status_code
    yield act(browser, f"/v1/tasks/{task.pk}/cancel", reason="x").status_code


def test_whose_rights_are_taken_after_the_preview_does_nothing():
    browser, task = browser_of("Operator"), make_task()
    assert browser.get(page_of(task, "verb", "cancel")).status_code == 200
    body = {"ids": [str(task.pk)], "reason": "x", "preview": True}
    assert act(browser, "/console/tasks/cancel", **body).json()["done"] == 1

    User.objects.get(username="operator").groups.set([group_of("Viewer")])

    assert list(ways(browser, task))[0::2] == [403, 403]
    assert set(ways(browser, task)) <= {200, 403}  # a list ignores what it does not offer
    assert fresh(task).status == "queued"
    assert not OperatorAction.objects.exists()


@pytest.mark.parametrize("rights", [(), ("use_api",), ("view_console",), ("use_api", "operate")])
def test_who_may_not_view_and_operate_uses_no_verb(rights):
    browser, task = who_may(*rights), make_task()
    assert task.title

    page = browser.get(page_of(task, "verb", "cancel"))
    assert page.status_code in {302, 403}
    assert task.title not in page.content.decode()
    click(browser, task, "cancel")
    choose(browser, [task], "cancel")
    body = {"ids": [str(task.pk)], "reason": "x"}
    for preview in (True, False):
        assert act(browser, "/console/tasks/cancel", preview=preview, **body).status_code == 403

    assert fresh(task).status == "queued"
    assert not OperatorAction.objects.exists()
    by_api = act(browser, f"/v1/tasks/{task.pk}/cancel")
    assert (by_api.status_code == 200) == ("use_api" in rights)  # what is nobody's is theirs, too


@pytest.mark.parametrize("verb", ["retire", "remove"])
def test_an_operator_is_offered_nothing_of_administrators(verb):
    browser, agent = browser_of("Operator"), make_agent()

    page = browser.get(page_of(agent)).content.decode()
    assert page_of(agent, "verb", "drain") in page
    assert page_of(agent, "verb", verb) not in page
    listed = browser.get(list_of(Agent)).content.decode()
    assert 'value="drain"' in listed
    assert f'value="{verb}"' not in listed
    known = browser.get("/console/verbs").json()["agents"]
    assert [one["allowed"] for one in known if one["name"] == verb] == [False]

    body = {"ids": [agent.pk], "reason": "x"}
    assert browser.get(page_of(agent, "verb", verb)).status_code == 403
    assert click(browser, agent, verb).status_code == 403
    choose(browser, [agent], verb)
    assert act(browser, f"/console/agents/{verb}", **body).status_code == 403
    assert act(browser, f"/console/agents/{verb}", preview=True, **body).status_code == 403
    assert act(browser, f"/v1/agents/{agent.pk}/retire").status_code == 403
    assert not fresh(agent).draining
    assert not OperatorAction.objects.exists()
