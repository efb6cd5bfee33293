"""Times are shown in the zone of their reader: chosen, or the browser's own."""

import re
from datetime import UTC, datetime

import pytest
from django.test import AsyncRequestFactory, Client
from django.utils import timezone

from accounts import cells
from accounts.timezones import in_zone_of_reader, offered
from tasks.models import Task
from tests.console.clicking import page_of
from tests.console.people import browser_of
from tests.factories import make_task

pytestmark = pytest.mark.django_db

AT = datetime(2026, 1, 31, 20, 0, 0, tzinfo=UTC)


@pytest.fixture
def task():
    made = make_task()
    Task.objects.filter(pk=made.pk).update(created_at=AT)
    return made


def shown_to(browser, task):
    page = browser.get(page_of(task)).content.decode()
    return re.search(r"20\d\d-\d\d-\d\d \d\d:00:00 [+-]\d\d:\d\d", page)[0]


@pytest.mark.parametrize(
    ("chosen", "of_browser", "seen"),
    [
        ("", "", "2026-01-31 20:00:00 +00:00"),
        ("", "Asia/Seoul", "2026-02-01 05:00:00 +09:00"),
        ("America/New_York", "Asia/Seoul", "2026-01-31 15:00:00 -05:00"),
        ("Asia/Kolkata", "", "2026-02-01 01:30:00 +05:30"),
    ],
)
def test_a_page_shows_times_in_the_zone_of_its_reader(task, chosen, of_browser, seen):
    browser = browser_of("Viewer")
    browser.cookies["timezone"] = chosen
    browser.cookies["browser_timezone"] = of_browser

    page = browser.get(page_of(task)).content.decode()

    assert seen in page
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize(
    "hostile",
    ["../../etc/passwd", "/etc/localtime", "Nowhere/City", "x" * 5000, "\0", "<b>", "UTC\n"],
)
def test_what_is_no_zone_is_ignored(task, hostile):
    browser = browser_of("Viewer")
    browser.cookies["timezone"] = hostile

    assert shown_to(browser, task) == "2026-01-31 20:00:00 +00:00"


@pytest.mark.parametrize("language", ["en", "ko", "ru"])
def test_times_look_the_same_in_every_language(task, language):
    browser = browser_of("Viewer")
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = language

    assert shown_to(browser, task) == "2026-01-31 20:00:00 +00:00"


def test_programs_read_utc_whatever_the_cookie_says(task):
    browser = browser_of("Viewer")
    plain = browser.get(f"/v1/tasks/{task.pk}").json()
    browser.cookies["timezone"] = "Asia/Seoul"

    assert browser.get(f"/v1/tasks/{task.pk}").json() == plain


def test_a_zone_is_chosen_and_forgotten():
    browser = Client()
    form = browser.get("/preferences")
    assert form.status_code == 200

    saved = browser.post("/preferences", {"timezone": "Europe/Berlin"})
    assert saved.status_code == 302
    assert browser.cookies["timezone"].value == "Europe/Berlin"
    assert browser.cookies["timezone"]["samesite"] == "Lax"
    page = browser.get("/preferences").content.decode()
    assert re.search(r'<option value="Europe/Berlin"\s+selected', page)

    browser.post("/preferences", {"timezone": ""})
    assert browser.cookies["timezone"].value == ""


@pytest.mark.parametrize("wrong", ["Nowhere/City", "../x", "\0", "posixrules"], ids=range(4))
def test_no_other_zone_is_chosen(wrong):
    browser = Client()

    refused = browser.post("/preferences", {"timezone": wrong})

    assert refused.status_code == 200
    assert refused.context["form"].errors
    assert "timezone" not in browser.cookies


def test_every_zone_that_is_offered_can_be_used():
    names = [name for name, _ in offered()]

    assert names[:2] == ["", "UTC"]
    assert {"Asia/Seoul", "Europe/Moscow", "America/New_York"} <= set(names)
    for name in names[1:]:
        with timezone.override(name):
            assert cells.when(AT)


async def test_asynchronous_pages_have_it_too():
    async def page(request):
        return timezone.get_current_timezone_name()

    request = AsyncRequestFactory().get("/admin/")
    request.COOKIES["timezone"] = "Asia/Seoul"

    assert await in_zone_of_reader(page)(request) == "Asia/Seoul"
