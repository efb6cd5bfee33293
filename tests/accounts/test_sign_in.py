"""Signing in and out, for the dashboard and the admin alike."""

import pytest
from django.test import Client

from accounts.models import User
from tests.console.people import browser_of, make_person

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


def sign_in(browser, next_="/admin/", password=PASSWORD):
    return browser.post(
        "/login", {"username": "operator", "password": password, "next": next_}, follow=False
    )


def test_after_the_login_a_person_returns_to_the_requested_page(client):
    make_person("Operator", password=PASSWORD)

    sent = client.get("/admin/tasks/task/", follow=True)
    signed_in = sign_in(client, next_="/admin/tasks/task/")

    assert sent.redirect_chain[-1][0] == "/login?next=/admin/tasks/task/"
    assert signed_in.headers["location"] == "/admin/tasks/task/"
    assert client.get("/admin/tasks/task/").status_code == 200


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil"]
)
def test_the_login_redirects_to_no_other_site(client, elsewhere):
    make_person("Operator", password=PASSWORD)

    assert sign_in(client, next_=elsewhere).headers["location"] == "/"


def test_a_wrong_password_is_refused(client):
    make_person("Operator", password=PASSWORD)

    page = sign_in(client, password="wrong")

    assert page.status_code == 200
    assert page.context["form"].non_field_errors()


def test_signing_in_needs_the_csrf_token():
    make_person("Operator", password=PASSWORD)

    assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403


@pytest.mark.parametrize(
    ("language", "word"), [("en", "Sign in"), ("ko", "로그인"), ("ru", "Войти")]
)
def test_the_page_is_in_the_language_of_the_browser(client, language, word):
    page = client.get("/login", headers={"accept-language": language})

    assert word in page.content.decode()


def test_signing_out_ends_the_session(client, settings):
    settings.COORDINATOR_AUTH_TOKEN = "t"
    client.force_login(make_person("Operator"))
    assert client.get("/v1/tasks").status_code == 200

    client.post("/logout")

    assert client.get("/v1/tasks").status_code == 401


def test_a_person_changes_the_password(client):
    person = make_person("Viewer", password=PASSWORD)
    client.force_login(person)
    assert client.get("/password").status_code == 200

    client.post(
        "/password",
        {"old_password": PASSWORD, "new_password1": "staple-77", "new_password2": "staple-77"},
    )

    assert User.objects.get(pk=person.pk).check_password("staple-77")


@pytest.mark.parametrize(
    ("group", "looking", "operating"),
    [("", 403, 403), ("Viewer", 200, 403), ("Operator", 200, 201), ("Admin", 200, 201)],
)
def test_the_group_decides_what_a_person_may_do_over_the_api(
    client, settings, group, looking, operating
):
    settings.COORDINATOR_AUTH_TOKEN = "t"
    client.force_login(make_person(group))

    seen = client.get("/v1/channels")
    done = client.post("/v1/channels", {"name": "paint"}, content_type="application/json")

    assert (seen.status_code, done.status_code) == (looking, operating)


@pytest.mark.parametrize(("group", "status"), [("", 302), ("Viewer", 200), ("Admin", 200)])
def test_the_admin_is_entered_by_permission(client, group, status):
    client.force_login(make_person(group))

    assert client.get("/admin/").status_code == status


def test_only_administrators_change_people():
    person = make_person()
    url = f"/admin/accounts/user/{person.pk}/change/"
    fields = {"username": "nobody", "is_active": "on", "date_joined_0": "2026-01-01"}
    fields |= {"date_joined_1": "00:00", "email": "nobody@example.com"}

    assert browser_of("Operator").post(url, fields).status_code == 403
    assert browser_of("Admin").post(url, fields).status_code == 302
    assert User.objects.get(pk=person.pk).email == "nobody@example.com"


def test_an_administrator_cannot_become_a_superuser():
    administrator = make_person("Admin")
    browser = Client()
    browser.force_login(administrator)
    fields = {"username": "admin", "is_active": "on", "is_superuser": "on"}
    fields |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    fields["groups"] = [group.pk for group in administrator.groups.all()]

    browser.post(f"/admin/accounts/user/{administrator.pk}/change/", fields)
    superuser = User.objects.create_superuser("owner")
    touched = browser.post(f"/admin/accounts/user/{superuser.pk}/change/", fields)

    assert touched.status_code == 403
    assert not User.objects.get(pk=administrator.pk).is_superuser


def test_a_person_without_a_group_is_told_so_and_not_signed_in(client):
    User.objects.create_user("operator", password=PASSWORD)

    page = sign_in(client)

    assert page.status_code == 200
    assert "Ask an administrator" in page.content.decode()
    assert "sessionid" not in client.cookies
    assert "Ask an administrator" not in sign_in(client, password="wrong").content.decode()


def test_a_person_who_has_lost_the_group_is_told_so(client, settings):
    settings.COORDINATOR_AUTH_TOKEN = "t"
    person = make_person("Operator", password=PASSWORD)
    sign_in(client)
    person.groups.clear()

    for path in ("/", "/admin/", "/admin/tasks/task/"):
        page = client.get(path, follow=True)

        assert page.redirect_chain[-1][0].startswith("/login"), path
        assert page.content.decode().count("Ask an administrator") == 1, path


@pytest.mark.parametrize(("language", "word"), [("ko", "관리자에게"), ("ru", "администратора")])
def test_the_message_is_in_the_language_of_the_browser(client, language, word):
    User.objects.create_user("operator", password=PASSWORD)

    page = client.post(
        "/login",
        {"username": "operator", "password": PASSWORD},
        headers={"accept-language": language},
    )

    assert word in page.content.decode()
