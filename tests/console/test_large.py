"""A verb on thousands of rows that match a filter."""

import re

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

import console.admin
from accounts.callers import LOCAL
from agents.models import Agent
from chains.agent_verbs import AGENT_VERBS
from console import previews, verbs
from console.previews import foretell
from console.verbs import carry_out
from events.models import OperatorAction
from jobs.models import Job
from jobs.verbs import JOB_VERBS
from tasks.models import Task
from tasks.states import Status
from tasks.verbs import TASK_VERBS
from tests.console.clicking import choose, messages_of, sentences
from tests.console.people import browser_of
from tests.factories import (
    fail_at_once,
    make_agent,
    make_chain,
    make_channel,
    make_job,
    make_task,
    make_tasks,
    steps_of,
    take,
)


@pytest.mark.django_db
def test_thousands_of_tasks_are_cancelled_by_a_few_statements(django_assert_max_num_queries):
    channel = make_channel()
    one = make_tasks(2_500, channel=channel)[0]
    operator = browser_of("Operator")
    query = f"?channel__id__exact={channel.pk}"

    with django_assert_max_num_queries(120):
        done = choose(operator, [one], "cancel", across=True, query=query)

    assert messages_of(done) == ["Cancel: 2500 done."]
    assert not Task.objects.exclude(status=Status.CANCELLED).exists()
    assert OperatorAction.objects.count() == 2_500


@pytest.mark.django_db
def test_more_rows_than_one_request_may_change_are_left_alone(monkeypatch):
    monkeypatch.setattr(console.admin, "MOST", 2)
    channel = make_channel()
    one = make_tasks(3, channel=channel)[0]
    query = f"?channel__id__exact={channel.pk}"

    for confirmed in (False, True):
        page = choose(
            browser_of("Operator"), [one], "cancel", confirmed=confirmed, across=True, query=query
        )
        assert "2 objects at most" in messages_of(page)[0]
    assert Task.objects.queued().count() == 3


@pytest.mark.django_db
def test_what_came_after_the_page_was_shown_is_left_alone():
    channel = make_channel()
    shown = make_tasks(3, channel=channel)
    browser, query = browser_of("Operator"), f"?channel__id__exact={channel.pk}"
    page = choose(browser, shown[:1], "cancel", confirmed=False, across=True, query=query)
    assert sentences(page) == ["Cancels 3 tasks that wait."]
    newest = re.search('name="newest" value="([^"]+)"', page.content.decode())[1]
    since = make_task(channel)

    done = choose(browser, shown[:1], "cancel", across=True, query=query, newest=newest)

    assert messages_of(done) == ["Cancel: 3 done."]
    assert list(Task.objects.queued()) == [since]
    choose(browser, [since], "cancel", across=True, query=query, newest="'; --")
    assert list(Task.objects.queued()) == [since]


@pytest.mark.django_db
def test_what_is_not_begun_in_time_is_refused_and_done_when_it_is_used_again(monkeypatch):
    tasks = [steps_of(make_chain(tasks=1))[0] for _ in range(3)]  # one transaction for each
    rows, [cancel] = Task.objects.all(), [verb for verb in TASK_VERBS if verb.name == "cancel"]
    monkeypatch.setattr(verbs, "PATIENCE", -1.0)

    late = carry_out(cancel, rows, LOCAL, "x", {})

    assert [problem.code for _, problem in late.refused] == ["no_time_left"] * 3
    assert not OperatorAction.objects.exists()
    monkeypatch.undo()
    assert len(carry_out(cancel, rows, LOCAL, "x", {}).done) == len(tasks)


def foretold_untried(verb, rows, monkeypatch):
    """What is foretold where the verb is too large to be tried: the same, without an update."""
    tried = foretell(verb, rows, {})
    monkeypatch.setattr(verbs, "MANY", 19)
    monkeypatch.setattr(previews, "MANY", 19)

    with CaptureQueriesContext(connection) as asked:
        foretold = foretell(verb, rows, {})

    assert (foretold, foretold.done) == (tried, 1)
    assert not [one["sql"] for one in asked if "UPDATE" in one["sql"]]
    return foretold


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["cancel", "retry_failed"])
def test_a_job_of_many_tasks_is_not_changed_and_changed_back_to_say_what_will_happen(
    monkeypatch, name
):
    """Its agents would wait meanwhile, and each look would leave as many dead rows."""
    job = make_job(tasks=20)
    if name == "retry_failed":
        fail_at_once(Task.objects.filter(job=job))
    rows = Job.objects.filter(pk=job.pk)
    [verb] = [verb for verb in JOB_VERBS if verb.name == name]
    foretold = foretold_untried(verb, rows, monkeypatch)

    assert "20" in " ".join(foretold.will)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["reset", "retire", "remove"])
def test_nor_is_all_that_an_agent_holds(monkeypatch, name):
    agent = make_agent()
    tasks = make_tasks(20)
    take(agent, tasks[0].channel, max_tasks=20)
    rows = Agent.objects.filter(pk=agent.pk)
    [verb] = [verb for verb in AGENT_VERBS if verb.name == name]

    foretold_untried(verb, rows, monkeypatch)


@pytest.mark.django_db
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model.__name__)
def test_no_list_counts_all_its_rows_for_each_filter(admin_client, model):
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    shown = admin_client.get(url, {"_facets": "1"}).context["cl"]

    assert not shown.add_facets
    assert not shown.is_facets_optional
