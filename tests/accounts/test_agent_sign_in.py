"""`/agent-auth.html`: a person signs in for an agent."""

import re

import pytest
from django.test import Client

from accounts.models import ApiToken, SignInCode
from tests.accounts.tokens import client_of
from tests.console.people import make_person

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
PAGE = "/agent-auth.html?callback_port=4711&agent_name=Laptop"


def sign_in(client, password=PASSWORD, page=PAGE):
    return client.post(page, {"username": "operator", "password": password})


def callback_in(page):
    text = page.content.decode()
    [link] = re.findall(r'id="callback" href="([^"]+)"', text)
    assert f'content="0; url={link}"' in text
    return link


def test_the_browser_takes_a_code_to_the_agent_which_gets_a_token(client):
    person = make_person("Operator", password=PASSWORD)
    assert "Laptop" in client.get(PAGE).content.decode()

    page = sign_in(client)

    link = callback_in(page)
    assert link.startswith("http://localhost:4711/callback?code=")
    assert "no-store" in page["Cache-Control"]
    assert "sessionid" not in client.cookies
    code = link.partition("code=")[2]
    got = client.post("/v1/auth/agent-token", {"code": code}, content_type="application/json")
    assert got.json()["user_id"] == str(person.pk)
    assert ApiToken.objects.get().name == "agent Laptop"
    assert client_of(got.json()["token"]).get("/v1/tasks").status_code == 200


def test_a_person_who_has_signed_in_only_confirms(client):
    client.force_login(make_person("Operator", password=PASSWORD))
    page = client.get(PAGE).content.decode()
    assert "operator" in page
    assert 'name="password"' not in page

    callback_in(client.post(PAGE, {"confirmed": "yes"}))

    assert SignInCode.objects.get().user.username == "operator"


def test_a_wrong_password_gives_no_code(client):
    make_person("Operator", password=PASSWORD)

    page = sign_in(client, "wrong")

    assert page.status_code == 200
    assert page.context["form"].non_field_errors()
    assert not SignInCode.objects.exists()


def test_who_may_not_look_gets_no_code(client):
    person = make_person("", password=PASSWORD)
    client.force_login(person)

    assert client.post(PAGE, {"confirmed": "yes"}).status_code == 200
    page = client.post(PAGE, {"username": "nobody", "password": PASSWORD})
    assert page.context["form"].non_field_errors()
    assert not SignInCode.objects.exists()


@pytest.mark.parametrize(
    "port", ["", "0", "65536", "-1", "x", "80@evil.example", "80/evil", "٤٧", "999999"]
)
def test_the_code_goes_to_no_other_place(client, port):
    make_person("Operator", password=PASSWORD)
    page = f"/agent-auth.html?callback_port={port}"

    assert client.get(page).status_code == 400
    assert sign_in(client, page=page).status_code == 400
    assert not SignInCode.objects.exists()


def test_no_other_site_confirms_for_a_person():
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_person("Operator"))

    assert browser.post(PAGE, {"confirmed": "yes"}).status_code == 403
    assert browser.get(PAGE)["X-Frame-Options"] == "DENY"


def test_the_name_of_the_agent_is_text(client):
    page = client.get("/agent-auth.html?callback_port=1&agent_name=<script>%00x" + "y" * 500)

    assert "<script>x" not in page.content.decode()
    assert page.status_code == 200


@pytest.mark.parametrize(("language", "word"), [("ko", "에이전트"), ("ru", "агент")])
def test_the_page_is_in_the_language_of_the_browser(client, language, word):
    page = client.get(PAGE, headers={"accept-language": language})

    assert word in page.content.decode()


def test_in_protected_mode_the_page_is_for_this_machine(client):
    assert client.get(PAGE, REMOTE_ADDR="192.0.2.1").status_code == 403
