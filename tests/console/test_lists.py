"""Lists of the admin: labels, ends of ids, relative times, order, filters, parts of names."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets, label_for_field
from django.test import RequestFactory
from django.utils import timezone, translation

from accounts import cells
from accounts.models import User
from agents.models import Agent
from chains.models import Chain
from console import kinds
from jobs.models import Job
from tasks.models import Channel, Task
from tests.console.clicking import click, list_of, page_of
from tests.console.people import browser_of, make_person
from tests.factories import make_agent, make_chain, make_channel, make_job, make_task, make_tasks

pytestmark = pytest.mark.django_db

REGISTRY = admin.site._registry
each_admin = pytest.mark.parametrize("model", REGISTRY, ids=lambda model: model.__name__)
ALIKE = {"id", "SHA-256", "USD", "SPOTs", "Coordinator", "V1", "V2"}
ALIKE |= {name for _, name in settings.LANGUAGES}
"""Names that are the same in every language."""


def rows(browser, model, query=""):
    page = browser.get(list_of(model) + query)
    assert page.status_code == 200
    return page


def shown(page):
    return list(page.context["cl"].result_list)


def columns_of(browser, model):
    shown = rows(browser, model).context["cl"].list_display
    return [getattr(one, "__name__", one) for one in shown]


def test_a_list_shows_labels_ends_of_ids_and_relative_times():
    task = make_task(title="<b>bold</b>")

    html = rows(browser_of("Viewer"), Task).content.decode()

    assert '<span class="status queued">Queued</span>' in html
    assert f'data-copy="{task.pk}"' in html
    assert f">{str(task.pk)[-8:]}</code>" in html
    assert re.search(r'<time datetime="[^"]+" title="20\d\d-\d\d-\d\d [^"]+">just now</time>', html)
    assert "&lt;b&gt;bold&lt;/b&gt;" in html


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=5), "5 minutes ago"),
        (timedelta(days=400), "1 year ago"),
        (-timedelta(hours=2, minutes=1), "in 2 hours"),
    ],
)
def test_times_are_relative(ago, words):
    seen = str(cells.moment(timezone.now() - ago)).replace("\xa0", " ")

    assert seen.endswith(f">{words}</time>")


def test_a_page_is_called_by_the_title_of_its_object():
    task = make_task(title="build the release")
    job = make_job(tasks=1)
    Job.objects.filter(pk=job.pk).update(name="nightly sweep")
    browser = browser_of("Viewer")

    for row, name in ((task, "build the release"), (job, "nightly sweep")):
        html = browser.get(page_of(row)).content.decode()
        heading = html.partition("<h1")[2].partition("</h1>")[0]
        assert name in heading
        assert str(row.pk) not in heading
        assert name in html.partition("<title>")[2].partition("</title>")[0]


def test_a_list_is_sorted_by_what_an_index_sorts_and_by_nothing_else():
    make_tasks(3)
    browser = browser_of("Viewer")
    columns = columns_of(browser, Task)
    made, title = columns.index("created_at"), columns.index("title")
    usual = shown(rows(browser, Task))

    assert shown(rows(browser, Task, f"?o={made}")) == usual[::-1]
    assert shown(rows(browser, Task, f"?o={title}")) == usual
    html = rows(browser, Task).content.decode()
    assert f"?o={made}" in html or f"?o=-{made}" in html
    assert f"?o={title}" not in html


def test_chains_are_sorted_too():
    chains = [make_chain(tasks=1) for _ in range(3)]
    browser = browser_of("Viewer")
    columns = columns_of(browser, Chain)

    assert shown(rows(browser, Chain, f"?o={columns.index('created_at')}")) == chains
    assert shown(rows(browser, Chain)) == chains[::-1]


@pytest.mark.parametrize("order", ["99", "-1.2.3", "x", "1.1.1.1", "", "\0"], ids=range(6))
@each_admin
def test_no_order_in_an_address_breaks_a_list(model, order):
    assert browser_of("Admin").get(list_of(model), {"o": order}).status_code in {200, 302}


def test_parts_of_names_are_found():
    make_agent("runner-17-eu")
    make_agent("other")
    make_channel("nightly builds")
    make_chain(make_channel("x"), name="release 2.4")
    make_job(tasks=1)
    Job.objects.update(name="grid of sizes")
    make_person("Operator", first_name="Annabel")
    browser = browser_of("Admin")

    for model, part, found in (
        (Agent, "17-e", "runner-17-eu"),
        (Channel, "BUILD", "nightly builds"),
        (Chain, "se 2", "release 2.4"),
        (Job, "of si", "grid of sizes"),
        (User, "nabe", "operator"),
    ):
        [row] = shown(rows(browser, model, f"?q={part}"))
        assert found in {str(row), getattr(row, "name", "")}


def test_the_filters_that_hold_are_shown_each_with_a_way_to_remove_it():
    channel = make_channel("a & b")
    make_task(channel=channel, title="backup")
    query = f"?channel__id__exact={channel.pk}&status__exact=queued&age=day&q=back"

    page = rows(browser_of("Viewer"), Task, query)

    html = page.content.decode().partition('class="active-filters"')[2].partition("</ul>")[0]
    said = re.findall(r'<a href="([^"]+)"[^>]*>(\w+): <b>([^<]+)</b>', html)
    assert {(title, value) for _, title, value in said} == {
        ("Search", "back"),
        ("Status", "Queued"),
        ("Channel", "a &amp; b"),
        ("Age", "Last 24 hours"),
    }
    without = {title: address for address, title, _ in said}
    assert "status__exact" not in without["Status"]
    assert "channel__id__exact" in without["Status"]
    assert "q=back" not in without["Search"]


def test_without_filters_none_is_shown():
    assert "active-filters" not in rows(browser_of("Viewer"), Task).content.decode()


@pytest.mark.parametrize("language", ["ko", "ru"])
@each_admin
def test_names_are_in_the_language_of_their_reader(model, language, admin_user):
    page = REGISTRY[model]
    request = RequestFactory().get("/")
    request.user = admin_user
    names = {*page.list_display, *flatten_fieldsets(page.get_fieldsets(request))}
    names = sorted(getattr(name, "__name__", name) for name in names)
    known = {field.name for field in model._meta.get_fields()}
    names = [name for name in names if name in known or hasattr(page, name)]

    def said(code):
        with translation.override(code):
            labels = [str(label_for_field(name, model, page)) for name in names]
            return [str(model._meta.verbose_name), str(model._meta.verbose_name_plural), *labels]

    alike = [one for one, other in zip(said("en"), said(language), strict=True) if one == other]
    assert set(alike) <= ALIKE


@pytest.mark.parametrize("language", ["ko", "ru"])
@each_admin
def test_choices_are_in_the_language_of_their_reader(model, language):
    fields = [field for field in model._meta.concrete_fields if field.choices]
    for field in fields:
        with translation.override("en"):
            english = [str(label) for value, label in field.choices if value]
        with translation.override(language):
            local = [str(label) for value, label in field.choices if value]
        alike = set(english) & set(local)
        assert alike <= ALIKE, field.name


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Queued → Cancelled"), ("ko", "대기 → 취소됨")],
)
def test_the_timeline_has_statuses_and_verbs_in_words(language, words):
    task = make_task()
    operator = browser_of("Operator")
    operator.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    click(operator, task, "cancel")

    html = operator.get(page_of(task)).content.decode()
    timeline = html.partition('aria-labelledby="timeline"')[2]

    assert words in timeline
    with translation.override(language):
        assert f">{kinds.verb_label('task', 'cancel')}" in timeline
    assert ">cancel<" not in timeline
