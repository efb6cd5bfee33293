"""Tokens that are limited to functions of some scopes."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from accounts import credentials
from accounts.models import ApiToken
from accounts.permissions import MayHaveTokens, ReadOrOperate
from accounts.rights import EVERYTHING
from accounts.scopes import Scope
from events.models import OperatorAction
from tests.accounts.test_agent_tokens import ENDPOINTS, METHODS, PUBLIC, actions_of, filled
from tests.accounts.test_token_admin import add, secret_in
from tests.accounts.tokens import client_of, issue, of_agent, of_person
from tests.console.people import browser_of, make_person

pytestmark = pytest.mark.django_db

TOKENS = "/api/v1/tokens"


@pytest.fixture
def admin():
    return client_of(of_person("Admin").secret)


def create(client, **body):
    return client.post(TOKENS, {"name": "ci"} | body, content_type="application/json")


def caller_of(secret):
    _, caller = credentials.recognized(secret.encode())
    return caller


def test_the_api_makes_a_limited_token_and_shows_its_scopes(admin):
    made = create(admin, scopes=["sign", "read", "read"])

    assert made.status_code == 201
    assert made.json()["scopes"] == ["read", "sign"]
    assert caller_of(made.json()["token"]).limited_to == {"read", "sign"}
    listed = admin.get(TOKENS).json()["tokens"]
    assert [one.get("scopes") for one in listed] == [["read", "sign"], None]
    assert OperatorAction.objects.latest("id").after["scopes"] == ["read", "sign"]


def test_a_token_without_scopes_is_not_limited(admin):
    secret = create(admin, scopes=[]).json()["token"]

    assert caller_of(secret).limited_to == frozenset()
    assert client_of(secret).get("/v1/tasks").status_code == 200


def test_a_limited_token_gives_no_more_than_its_user_may():
    viewer = of_person("Viewer", role="admin", scopes=["ops"])

    assert caller_of(viewer.secret).rights < EVERYTHING
    assert not caller_of(viewer.secret).steers_all


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": ["write"]},
        {"scopes": ["read", "READ"]},
        {"scopes": "read"},
        {"scopes": [1]},
        {"scopes": ["read"] * (len(Scope) + 1)},
        {"scopes": ["read"], "agent_id": "a"},
        {"scopes": ["read"], "agent_prefix": "a"},
    ],
)
def test_wrong_scopes_are_refused(admin, body):
    response = create(admin, **body)

    assert (response.status_code, list(response.json()["details"])) == (400, ["scopes"])
    assert ApiToken.objects.count() == 1


def test_the_database_knows_the_scopes_and_that_agents_have_none():
    with pytest.raises(IntegrityError, match="api_token_scopes"), transaction.atomic():
        ApiToken.objects.filter(pk=of_person().token.pk).update(scopes=["write"])
    with pytest.raises(IntegrityError, match="api_token_scopes"), transaction.atomic():
        of_agent(scopes=["read"])


def test_a_command_makes_a_limited_token():
    make_person("Operator")
    printed = StringIO()
    whose = ("create_token", "--user", "operator", "--name", "ci")

    call_command(*whose, "--scope", "ops", "--scope", "read", stdout=printed)

    assert ApiToken.objects.get().scopes == ["read", "ops"]
    assert caller_of(printed.getvalue().strip()).limited_to == {"read", "ops"}
    with pytest.raises(CommandError, match="--scope"):
        call_command("create_token", "--agent", "a", "--name", "x", "--scope", "read")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command(*whose, "--scope", "write")


def test_a_person_makes_a_limited_token_in_the_admin_which_says_so():
    browser = browser_of("Operator")

    secret = secret_in(add(browser, scopes=["read", "sign"]))

    assert caller_of(secret).limited_to == {"read", "sign"}
    token = ApiToken.objects.get()
    for page in ("", f"{token.pk}/change/"):
        shown = browser.get(f"/admin/accounts/apitoken/{page}").content.decode()
        assert "read, sign" in shown


@pytest.mark.parametrize(
    "fields", [{"scopes": ["write"]}, {"role": "agent", "agent": "a", "scopes": ["read"]}]
)
def test_the_admin_refuses_wrong_scopes(fields):
    page = add(browser_of("Admin"), **fields)

    assert page.context["errors"]
    assert not ApiToken.objects.exists()


def function_scope_of(view):
    return getattr(view.cls, "function_scope", None)


@pytest.mark.parametrize("scope", Scope.values)
def test_a_limited_token_may_nothing_but_functions_of_its_scope(scope):
    """Whatever its user may: here, everything."""
    person = make_person("Admin")
    client = client_of(issue(user=person, scopes=[scope]).secret)

    for path, view in ENDPOINTS.items():
        if path in PUBLIC - {"v1/auth/verify"} or function_scope_of(view) == scope:
            continue
        for method in METHODS:
            answer = client.generic(method.upper(), filled(path), "{}", "application/json")
            if method not in actions_of(view) and answer.status_code == 405:
                continue
            if path == "":
                assert answer.status_code == 302  # whoever may not look is sent to sign in
                continue
            assert answer.status_code == 403, (method, path, answer.content)


def test_only_functions_say_a_scope_and_each_asks_who_may():
    for path, view in ENDPOINTS.items():
        scope = function_scope_of(view)
        assert (scope in Scope.values) == path.startswith("functions/v1/"), path
        if scope:
            kinds = view.initkwargs.get("permission_classes", view.cls.permission_classes)
            assert any(issubclass(kind, (ReadOrOperate, MayHaveTokens)) for kind in kinds), path
