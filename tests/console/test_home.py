"""The home of the admin and its sidebar: the state, what people did, and pages by use."""

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.urls import reverse
from django.utils import translation

from console import kinds, sidebar
from coordinator_project.models import LeaderLease, PassRecord
from dashboard import counters
from events.models import OperatorAction
from tests.console.clicking import click
from tests.console.people import browser_of, make_person
from tests.factories import make_agent, make_held_task, make_task, make_tasks

pytestmark = pytest.mark.django_db

HOME = "/admin/"


@pytest.fixture(autouse=True)
def _empty_caches():
    counters.counters.forget()
    yield
    counters.counters.forget()


def links_for(person):
    request = RequestFactory().get(HOME)
    request.user = person
    groups = sidebar.navigation(request)
    return {
        str(group.get("title", "")): [item["link"] for item in group["items"]] for group in groups
    }


def test_the_sidebar_groups_pages_by_what_people_do():
    links = links_for(make_person("Admin"))

    groups = ["Operate", "Records", "People", "Language models", "Notifications", "Vault"]
    assert list(links) == ["", *groups]
    assert links[""] == ["/", "/admin/"]
    assert links["Operate"][:2] == ["/admin/tasks/task/", "/admin/chains/chain/"]
    assert links["People"] == [
        "/admin/accounts/user/",
        "/admin/auth/group/",
        "/admin/accounts/apitoken/",
    ]


def test_every_page_of_the_admin_is_in_the_sidebar_once():
    shown = [link for group in links_for(make_person("Admin")).values() for link in group]

    every = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]
    assert sorted(shown) == sorted(["/", "/admin/", *every])


def test_who_may_only_use_the_api_is_offered_tokens_alone():
    person = make_person("User")

    assert links_for(person) == {"People": ["/admin/accounts/apitoken/"]}
    page = browser_of("User").get(HOME)
    assert "figures" not in page.context
    assert "/admin/accounts/apitoken/" in page.content.decode()
    assert "Maintenance loop" not in page.content.decode()


def test_the_home_counts_what_there_is_with_links_to_it():
    make_tasks(3)
    make_held_task(make_agent("agent-1"))

    page = browser_of("Viewer").get(HOME)

    figures = {figure.name: (figure.value, figure.link) for figure in page.context["figures"]}
    assert figures["Queued"] == ("3", "/admin/tasks/task/?status__exact=queued")
    assert figures["In progress"] == ("1", "/admin/tasks/task/?status__exact=in_progress")
    assert figures["Agents online"] == ("1 / 1", "/admin/agents/agent/?presence=online")
    for _value, link in figures.values():
        assert not link or browser_of("Viewer").get(link).status_code == 200


def test_the_home_says_when_the_loop_does_not_run():
    LeaderLease.objects.all().delete()
    PassRecord.objects.all().delete()

    page = browser_of("Viewer").get(HOME)

    [loop, processes] = page.context["parts"]
    assert (loop.well, loop.words) == (False, "no process leads it")
    assert processes.well


def test_the_home_shows_what_people_did_last_with_links():
    task = make_task()
    operator = browser_of("Operator")
    click(operator, task, "cancel", reason="a <b>bold</b> reason")
    action = OperatorAction.objects.get()

    page = operator.get(HOME).content.decode()

    assert reverse("admin:tasks_task_change", args=[task.pk]) in page
    assert "a &lt;b&gt;bold&lt;/b&gt; reason" in page
    assert reverse("admin:events_operatoraction_change", args=[action.pk]) in page


def test_an_action_on_a_kind_that_is_no_more_has_no_link():
    OperatorAction.objects.create(
        actor="user:x", verb="do_it", kind="unicorn", object_id="/../a b", reason="why"
    )

    page = browser_of("Viewer").get(HOME).content.decode()

    assert "unicorn" in page
    assert "do it" in page


@pytest.mark.parametrize("rows", [1, 40])
def test_the_home_costs_the_same_however_much_was_done(rows, django_assert_max_num_queries):
    person = make_person("Viewer")
    for number in range(rows):
        OperatorAction.objects.create(
            user=person, actor="user:x", verb="x", kind="task", object_id=str(number), reason="why"
        )
    browser = browser_of("Viewer")
    browser.get(HOME)

    with django_assert_max_num_queries(14):
        page = browser.get(HOME)

    assert len(page.context["actions"]) == min(rows, 20)


def test_the_kinds_of_the_audit_are_those_that_people_act_on():
    with translation.override("en"):
        found = dict(kinds.all_kinds())

    assert found["task"] == "Task"
    assert found["languagemodel"] == "Model"
    assert {"agent", "artifact", "chain", "channel", "job", "securekey", "apitoken"} <= set(found)
    assert {"event", "group", "user"} <= set(found)
    assert not {"keyaudit", "operatoraction"} & set(found)


def test_sign_in_dashboard_and_admin_take_their_look_from_one_file(client):
    person = make_person("Operator")
    pages = [client.get("/login")]
    client.force_login(person)
    pages += [client.get("/"), client.get(HOME), client.get("/password")]

    for page in pages:
        assert page.status_code == 200
        html = page.content.decode()
        assert "/static/console/tokens.css" in html
        assert "/static/dashboard/icon.svg" in html
