"""What is wrong is said on a page where a browser asks, and in JSON where a program does."""

import pytest
from django.db import OperationalError
from django.test import Client, override_settings
from django.urls import path

from coordinator_project import urls
from tests.console.clicking import page_of
from tests.console.people import browser_of, make_person
from tests.factories import make_task

pytestmark = pytest.mark.django_db

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def break_down(request):
    raise RuntimeError("a secret detail")


def lose_the_database(request):
    raise OperationalError("connection refused")


class Broken:
    """The paths of the product, and two that break."""

    urlpatterns = [
        path("admin/broken", break_down),
        path("broken", break_down),
        path("v1/broken", break_down),
        path("admin/away", lose_the_database),
        *urls.urlpatterns,
    ]
    handler500 = urls.handler500


def read(browser, address, **more):
    return browser.get(address, headers={"accept": HTML}, **more)


def assert_is_a_page(answer, status, heading):
    html = answer.content.decode()
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")
    assert f"<h1>{heading}</h1>" in html
    assert 'href="/"' in html
    assert "/static/console/tokens.css" in html
    assert "<style" not in html
    assert "'unsafe" not in answer["Content-Security-Policy"]


@pytest.mark.parametrize("address", ["/nothing", "/admin/nothing/", "/boards/7?x=<b>"])
def test_where_nothing_is_a_person_reads_so(address):
    assert_is_a_page(read(browser_of("Viewer"), address), 404, "There is nothing here")


@pytest.mark.parametrize("address", ["/v1/nothing", "/api/v1/nothing", "/console/nothing/x/y"])
def test_where_nothing_is_a_program_reads_json_whatever_it_accepts(address):
    answer = read(browser_of("Viewer"), address)

    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("application/json")


def test_without_a_browser_there_is_json_at_any_other_path():
    answer = browser_of("Viewer").get("/nothing", headers={"accept": "*/*"})

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_who_has_not_signed_in_is_sent_to_do_so(settings):
    settings.COORDINATOR_AUTH_TOKEN = "t"

    assert read(Client(), "/nothing")["Location"] == "/login?next=/nothing"
    assert Client().get("/nothing").status_code == 401


def test_what_is_not_allowed_is_said_with_the_way_back():
    answer = read(browser_of("Viewer"), page_of(make_task(), "verb", "cancel"))

    assert_is_a_page(answer, 403, "You may not do this")
    assert 'href="/login"' in answer.content.decode()


@pytest.mark.parametrize("address", ["/login", "/admin/tasks/task/", "/preferences"])
def test_a_form_that_is_too_old_says_so(address):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_person("Viewer"))

    answer = browser.post(address, {}, headers={"accept": HTML})

    assert_is_a_page(answer, 403, "This form is too old")


@override_settings(ROOT_URLCONF=Broken)
@pytest.mark.parametrize("address", ["/admin/broken", "/broken"])
def test_what_breaks_is_a_page_that_says_nothing_of_the_inside(address):
    browser = browser_of("Viewer")
    browser.raise_request_exception = False

    answer = read(browser, address)

    assert_is_a_page(answer, 500, "Something went wrong here")
    assert "secret" not in answer.content.decode()


@override_settings(ROOT_URLCONF=Broken)
def test_what_breaks_for_a_program_is_json():
    browser = browser_of("Viewer")
    browser.raise_request_exception = False

    answer = read(browser, "/v1/broken")

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")


@override_settings(ROOT_URLCONF=Broken)
def test_a_database_that_is_away_is_a_page_too():
    browser = browser_of("Viewer")
    browser.raise_request_exception = False

    answer = read(browser, "/admin/away")

    assert_is_a_page(answer, answer.status_code, "Something is wrong")
    assert answer.status_code in {500, 503}


@pytest.mark.parametrize(
    ("language", "heading"), [("ko", "여기에는 아무것도 없습니다"), ("ru", "Здесь ничего нет")]
)
def test_the_pages_are_in_the_language_of_their_reader(language, heading):
    browser = browser_of("Viewer")
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = language

    assert_is_a_page(read(browser, "/nothing"), 404, heading)
