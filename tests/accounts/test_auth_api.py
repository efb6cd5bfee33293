"""`/v1/auth`, as contract 000-002 has it."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db.models.functions import Now
from django.test import Client

from accounts.models import ApiToken, SignInCode, User
from accounts.transitions import AGENT_LASTS, LOGIN_LASTS
from api.throttling import limits
from tests.accounts.tokens import client_of, issue, of_agent, of_person
from tests.console.people import group_of, make_person
from tests.racing import at_once

pytestmark = pytest.mark.django_db

PASSWORD = "Sesame!"


@pytest.fixture(autouse=True)
def registration(settings):
    settings.REGISTRATION = "operator"
    group_of("Operator")
    limits.share(1)  # what other tests tried within the minute does not count


def ask(client, path, **body):
    return client.post(f"/v1/auth/{path}", body, content_type="application/json")


def register(client, username="alice", password=PASSWORD):
    return ask(client, "register", username=username, password=password)


def refusal(response):
    return response.status_code, response.json()["error"]["code"]


def test_a_user_registers_and_works_with_the_token(client):
    body = register(client).json()

    user = User.objects.get()
    assert body.keys() == {"token", "user"}
    assert body["user"].keys() == {"id", "username", "created_at", "updated_at"}
    assert body["user"]["id"] == str(user.pk)
    assert user.check_password(PASSWORD)
    assert not user.is_superuser
    assert client_of(body["token"]).get("/v1/tasks").status_code == 200
    made = client_of(body["token"]).post("/v1/channels", {"name": "c"}, "application/json")
    assert made.status_code == 201


def test_registering_is_off_unless_a_setting_allows_it(client, settings):
    settings.REGISTRATION = "no"

    assert refusal(register(client)) == (403, "registration_off")
    assert not User.objects.exists()


def test_those_who_register_as_viewers_only_look(client, settings):
    settings.REGISTRATION = "viewer"
    group_of("Viewer")

    viewer = client_of(register(client).json()["token"])

    assert viewer.get("/v1/tasks").status_code == 200
    assert viewer.post("/v1/channels", {"name": "c"}, "application/json").status_code == 403


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("al", PASSWORD, "invalid_username"),
        ("a" * 31, PASSWORD, "invalid_username"),
        ("al ice", PASSWORD, "invalid_username"),
        ("aliçe", PASSWORD, "invalid_username"),
        ("alice", "Se!me", "invalid_password"),
        ("alice", "sesame!", "invalid_password"),
        ("alice", "Sesame1", "invalid_password"),
        ("", PASSWORD, "bad_request"),
        ("alice", "", "bad_request"),
        ("alice", 5, "bad_request"),
        ("alice", "S!" + "x" * 1_000, "bad_request"),
    ],
)
def test_a_name_or_a_password_that_will_not_do_is_refused(client, username, password, code):
    response = register(client, username, password)

    assert refusal(response) == (400, code)
    assert str(password) not in response.content.decode() or not password
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["alice", "ALICE", "Alice"])
def test_a_name_that_is_taken_is_refused(client, name):
    register(client)

    assert refusal(register(client, name)) == (409, "conflict")


@pytest.mark.parametrize("path", ["register", "login", "agent-token"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"{}"])
def test_a_body_that_is_no_json_is_a_bad_request(client, path, body):
    response = client.post(f"/v1/auth/{path}", body, content_type="application/json")

    assert refusal(response) == (400, "bad_request")


@pytest.mark.django_db(transaction=True)
def test_of_many_who_register_one_name_at_once_one_gets_it(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # all at once
    names = ["bob", "boB", "bOb", "bOB", "Bob", "BoB", "BOb", "BOB"]

    answers = at_once(*(lambda name=name: register(Client(), name) for name in names))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert User.objects.count() == 1


@pytest.mark.parametrize("name", ["alice", "ALICE", " alice "])
def test_signing_in_gives_a_token_for_a_day(client, name):
    register(client)

    body = ask(client, "login", username=name, password=PASSWORD).json()

    token = ApiToken.objects.first()
    assert body.keys() == {"token", "user"}
    assert token.expires_at - token.created_at < LOGIN_LASTS + timedelta(minutes=1)
    assert User.objects.get().last_login is not None
    me = client_of(body["token"]).get("/v1/auth/verify")
    assert me.json() == {"user_id": str(token.user_id), "username": "alice"}


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "Wrong!"), ("nobody", PASSWORD), ("alice", " " + PASSWORD)]
)
def test_a_wrong_name_and_a_wrong_password_look_alike(client, name, password):
    register(client)

    response = ask(client, "login", username=name, password=password)

    assert response.status_code == 401
    assert response.json()["error"] == {
        "code": "unauthorized",
        "message": "The name or the password is wrong.",
    }


def test_whoever_is_not_active_or_has_no_rights_does_not_sign_in(client):
    register(client)
    User.objects.update(is_active=False)
    assert refusal(ask(client, "login", username="alice", password=PASSWORD))[0] == 401

    make_person("", password=PASSWORD)
    assert refusal(ask(client, "login", username="nobody", password=PASSWORD)) == (
        403,
        "not_allowed",
    )
    assert ApiToken.objects.count() == 1


def test_where_two_names_differ_in_case_each_signs_in_by_their_own(client):
    group = group_of("Viewer")
    for name in ("carol", "Carol"):
        User.objects.create_user(name, password=PASSWORD).groups.add(group)

    for name in ("carol", "Carol"):
        answer = ask(client, "login", username=name, password=PASSWORD)
        assert answer.json()["user"]["username"] == name
    assert refusal(ask(client, "login", username="CAROL", password=PASSWORD))[0] == 401


def test_tokens_of_sign_ins_that_have_ended_go_with_the_next(client):
    register(client)
    ApiToken.objects.update(expires_at=Now() - timedelta(seconds=1))

    ask(client, "login", username="alice", password=PASSWORD)

    assert ApiToken.objects.count() == 1


def test_a_code_is_worth_a_token_once(client):
    register(client)
    body = ask(client, "login", username="alice", password=PASSWORD, agent_auth=True).json()
    code = body["auth_code"]
    assert len(code) == 32

    got = ask(client, "agent-token", code=code)

    assert got.status_code == 200
    assert got.json().keys() == {"token", "user_id", "username"}
    token = ApiToken.objects.first()
    assert (token.role, token.is_login, token.name) == ("operator", False, "agent")
    assert timedelta() < token.expires_at - token.created_at - AGENT_LASTS + timedelta(minutes=1)
    beat = client_of(got.json()["token"]).post(
        "/v1/agents/heartbeat", {"agent_id": "a"}, "application/json"
    )
    assert beat.status_code == 200
    assert refusal(ask(client, "agent-token", code=code)) == (401, "unauthorized")
    assert code not in str(list(SignInCode.objects.values()))


@pytest.mark.parametrize("group", ["Admin", "Operator", "Viewer"])
def test_an_agent_never_gets_the_rights_of_an_administrator(client, group):
    make_person(group, password=PASSWORD)
    name = group.lower()
    code = ask(client, "login", username=name, password=PASSWORD, agent_auth=True).json()
    ask(client, "agent-token", code=code["auth_code"])

    assert ApiToken.objects.first().role == ("support" if group == "Viewer" else "operator")


def test_a_code_that_is_over_is_worth_nothing(client):
    register(client)
    secret = ask(client, "login", username="alice", password=PASSWORD).json()["token"]
    code = client_of(secret).get("/v1/auth/verify", {"agent_auth": "true"}).json()["auth_code"]
    SignInCode.objects.update(expires_at=Now())

    assert refusal(ask(client, "agent-token", code=code)) == (401, "unauthorized")
    assert refusal(ask(client, "agent-token", code="x")) == (401, "unauthorized")
    client_of(secret).get("/v1/auth/verify", {"agent_auth": "true"})
    assert SignInCode.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_several_who_have_one_code_one_gets_the_token(client):
    register(client)
    code = ask(client, "login", username="alice", password=PASSWORD, agent_auth=True).json()
    redeem = [lambda: ask(Client(), "agent-token", code=code["auth_code"]) for _ in range(4)]

    answers = at_once(*redeem)

    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    assert ApiToken.objects.filter(is_login=False).count() == 1


def test_only_the_token_of_a_user_is_verified(client, settings):
    settings.COORDINATOR_AUTH_TOKEN = "a shared token"

    for secret in ("a shared token", of_agent().secret, "x"):
        assert refusal(client_of(secret).get("/v1/auth/verify")) == (401, "unauthorized")
    assert refusal(client.get("/v1/auth/verify")) == (401, "unauthorized")
    secret = of_person("Viewer").secret
    assert client_of(secret).get("/v1/auth/verify").json()["username"] == "viewer"
    assert client.get("/v1/auth/verify", {"token": secret}).status_code == 401


def test_only_who_has_just_signed_in_gets_a_code_for_an_agent(client):
    secret = of_person("Operator").secret

    refused = client_of(secret).get("/v1/auth/verify", {"agent_auth": "true"})

    assert refusal(refused) == (403, "not_allowed")
    assert not SignInCode.objects.exists()


@pytest.mark.parametrize("how", ["set", "saved elsewhere"])
def test_a_new_password_ends_the_sign_ins_by_the_old_one(client, how):
    token = register(client).json()["token"]
    me = client_of(token)
    code = me.get("/v1/auth/verify?agent_auth=true").json()["auth_code"]
    other = of_person().secret
    user = User.objects.get(username="alice")
    kept, _ = issue(user=user)
    user.save()
    assert me.get("/v1/auth/verify").status_code == 200

    user.set_password("Another!")
    user.save(**({} if how == "set" else {"update_fields": ["password"]}))

    assert me.get("/v1/auth/verify").status_code == 401
    assert ask(client, "agent-token", code=code).status_code == 401
    assert ApiToken.objects.live().filter(pk=kept.pk).exists()
    assert client_of(other).get("/v1/auth/verify").status_code == 200


def test_a_sign_in_that_makes_a_better_hash_ends_none(client):
    user = make_person("Operator", password=PASSWORD)
    user.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", 10)
    user.save()
    tokens = [ask(client, "login", username="operator", password=PASSWORD) for _ in range(2)]

    assert not User.objects.get().password.startswith("pbkdf2_sha256$10$")
    for token in tokens:
        assert client_of(token.json()["token"]).get("/v1/auth/verify").status_code == 200


def test_there_is_no_way_to_try_tokens(client):
    assert ask(client, "debug-token", token="x").status_code == 404
    assert client.get("/v1/auth/login").status_code == 405


def test_in_protected_mode_nobody_signs_in_from_elsewhere(client):
    make_person("Operator", password=PASSWORD)
    elsewhere = Client(REMOTE_ADDR="192.0.2.1")
    asked = {"username": "operator", "password": PASSWORD}

    assert refusal(ask(elsewhere, "login", **asked)) == (403, "protected_mode")
    assert refusal(register(elsewhere)) == (403, "protected_mode")
    assert refusal(ask(elsewhere, "agent-token", code="x")) == (403, "protected_mode")
    secret = ask(client, "login", **asked).json()["token"]
    of_agent()
    assert ask(elsewhere, "login", **asked).status_code == 200
    assert client_of(secret).get("/v1/tasks", REMOTE_ADDR="192.0.2.1").status_code == 200


def test_no_password_and_no_code_is_in_a_log(client, caplog):
    with caplog.at_level("DEBUG"):
        secret = register(client).json()["token"]
        refused = ask(client, "login", username="alice", password="Not-this-1")
        code = client_of(secret).get("/v1/auth/verify", {"agent_auth": "true"}).json()["auth_code"]
        ask(client, "agent-token", code=code)
        ask(client, "agent-token", code=code)

    logged = caplog.text + str([vars(record) for record in caplog.records])
    for hidden in (secret, code, PASSWORD, "Not-this-1"):
        assert hidden not in logged
    assert "Not-this-1" not in refused.content.decode()
