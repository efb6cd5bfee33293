"""Tokens in the admin: made, seen once, revoked."""

import re

import pytest
from django.urls import reverse

from accounts import credentials
from accounts.models import ApiToken, User
from events.models import OperatorAction
from tests.accounts.tokens import client_of, of_agent, of_person
from tests.console.people import browser_of, make_person
from tests.factories import fresh

pytestmark = pytest.mark.django_db

LIST = "/admin/accounts/apitoken/"
ADD = f"{LIST}add/"


def add(browser, **fields):
    given = {"name": "ci", "role": "user", "expires_at_0": "", "expires_at_1": ""} | fields
    return browser.post(ADD, given)


def secret_in(page):
    [secret] = re.findall(r'id="new-token"[^>]*>([^<]+)<', page.content.decode())
    return secret


def test_a_person_makes_a_token_for_themselves_and_sees_it_once():
    person = make_person("Operator")
    browser = browser_of("Operator")
    form = browser.get(ADD).content.decode()
    assert 'name="user"' not in form
    assert 'value="agent"' not in form

    page = add(browser, role="support", user=str(make_person("Admin").pk), agent="x")

    secret = secret_in(page)
    token = ApiToken.objects.get()
    assert (token.user, token.role, token.made_by) == (person, "support", person)
    assert "no-store" in page["Cache-Control"]
    assert client_of(secret).get("/v1/tasks").status_code == 200
    for path in (LIST, f"{LIST}{token.pk}/change/", f"/admin/accounts/user/{person.pk}/change/"):
        seen = browser.get(path).content.decode()
        assert secret not in seen
        assert secret[12:70] not in seen
    assert f"coordinator_…{secret[-4:]}" in browser.get(LIST).content.decode()
    audited = OperatorAction.objects.get(kind="apitoken")
    assert (audited.actor, audited.verb) == ("user:operator", "issue")


def test_an_administrator_makes_them_for_others_and_for_agents():
    other = make_person("Viewer")
    browser = browser_of("Admin")

    add(browser, user=str(other.pk))
    secret = secret_in(
        add(browser, role="agent", agent="runner-", agent_is_prefix="on", channels="a,b")
    )

    of_a_fleet, of_the_other = ApiToken.objects.all()
    assert (of_the_other.user, of_the_other.role) == (other, "user")
    assert (of_a_fleet.agent, of_a_fleet.channels) == ("runner-", ["a", "b"])
    assert of_a_fleet.agent_is_prefix
    beat = client_of(secret).post(
        "/v1/agents/heartbeat", {"agent_id": "runner-1"}, "application/json"
    )
    assert beat.status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"role": ""},
        {"role": "agent"},
        {"role": "user", "agent": "a"},
        {"role": "agent", "agent": "a", "user": "{other}"},
        {"role": "user", "user": "{other}", "channels": "a"},
        {"role": "user", "user": "{other}", "agent_is_prefix": "on"},
        {"user": "{other}", "expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
    ],
)
def test_what_makes_no_sense_is_refused(fields):
    other = make_person("Viewer")
    filled = {name: value.format(other=other.pk) for name, value in fields.items()}

    page = add(browser_of("Admin"), **filled)

    assert page.status_code == 200
    assert page.context["errors"]
    assert not ApiToken.objects.exists()


def test_an_administrator_who_names_nobody_makes_their_own():
    page = add(browser_of("Admin"), role="admin")

    assert ApiToken.objects.get().user == User.objects.get(username="admin")
    assert client_of(secret_in(page)).get("/api/v1/tokens").json()["total"] == 1


@pytest.mark.parametrize("group", ["Operator", "Admin"])
def test_a_form_that_is_sent_again_makes_no_second_token(group):
    browser = browser_of(group)
    forms = [browser.get(ADD).content.decode() for _ in range(2)]
    first, second = (re.search(r'name="once" value="(\w+)"', form)[1] for form in forms)

    secret_in(add(browser, once=first))
    again = add(browser, once=first)
    secret_in(add(browser, once=second))

    assert "has been made already" in again.content.decode()
    assert ApiToken.objects.count() == 2


def revoke(browser, *tokens):
    return browser.post(LIST, {"action": "revoke", "_selected_action": [one.pk for one in tokens]})


def test_a_person_revokes_their_own_and_sees_no_other():
    own, secret = of_person("Operator")
    other, _ = of_person("Viewer", name="unseen one")
    browser = browser_of("Operator")

    revoke(browser, own, other)

    assert fresh(own).revoked_at
    assert fresh(other).revoked_at is None
    assert credentials.recognized(secret.encode()) is None
    assert "unseen one" not in browser.get(LIST).content.decode()
    unseen = browser.get(f"{LIST}{other.pk}/change/")
    assert unseen.status_code == 302


def test_an_administrator_revokes_any():
    tokens = [of_person("Operator").token, of_agent().token]
    browser = browser_of("Admin")

    for _ in range(2):
        page = revoke(browser, *tokens)
        assert page.status_code == 302

    assert all(fresh(token).revoked_at for token in tokens)
    assert OperatorAction.objects.filter(verb="revoke", actor="user:admin").count() == 2


def test_the_page_of_a_user_shows_their_tokens_to_administrators():
    token, _ = of_person("Operator", name="nightly build")
    page = reverse("admin:accounts_user_change", args=[token.user_id])

    assert "nightly build" in browser_of("Admin").get(page).content.decode()
    assert "nightly build" not in browser_of("Viewer").get(page).content.decode()


def test_nothing_of_a_token_is_changed_or_deleted():
    token, _ = of_agent("agent-1")
    browser = browser_of("Admin")
    page = f"{LIST}{token.pk}/change/"

    assert browser.get(page).status_code == 200
    assert browser.post(page, {"name": "x"}).status_code == 403
    assert browser.post(f"{LIST}{token.pk}/delete/", {"post": "yes"}).status_code == 403
    assert fresh(token).name == token.name


def test_an_owner_may_be_removed_with_their_tokens():
    token, _ = of_person("Operator")
    browser = browser_of("Admin")

    browser.post(f"/admin/accounts/user/{token.user_id}/delete/", {"post": "yes"})

    assert not User.objects.filter(pk=token.user_id).exists()
    assert not ApiToken.objects.exists()


def test_the_page_of_a_new_token_has_a_button_that_copies_it():
    page = add(browser_of("Operator"))

    assert f'data-copy="{secret_in(page)}"' in page.content.decode()


def test_who_makes_the_first_token_is_told_that_everybody_needs_one_then():
    browser = browser_of("Operator")
    warning = "This is the first token."
    assert warning in browser.get(ADD).content.decode()

    add(browser)

    assert warning not in browser.get(ADD).content.decode()
