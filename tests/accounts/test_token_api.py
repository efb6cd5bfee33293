"""`/api/v1/tokens`, as contract 001 has it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.models import ApiToken
from tests.accounts.tokens import client_of, issue, let_expire, of_agent, of_person
from tests.console.people import make_person
from tests.factories import fresh

pytestmark = pytest.mark.django_db

PATH = "/api/v1/tokens"
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def admin():
    return client_of(of_person("Admin").secret)


@pytest.fixture
def operator():
    return client_of(of_person("Operator").secret)


def create(client, **body):
    return client.post(PATH, {"name": "ci"} | body, content_type="application/json")


def refusal(response):
    body = response.json()
    assert {"error", "message"} <= body.keys() <= {"error", "message", "details"}
    return response.status_code, body["error"]


def test_an_administrator_makes_a_token_that_is_shown_once(admin):
    later = datetime.now(UTC) + timedelta(days=1)

    response = create(admin, expires_at=later.isoformat())

    body = response.json()
    token = ApiToken.objects.get(pk=body["token_id"])
    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    assert body["name"] == "ci"
    assert body["is_active"] is True
    assert body["role"] == "admin"
    assert body["user_id"] == str(token.made_by_id)
    assert token.expires_at == later
    assert body["created_at"].endswith("Z")
    assert body["last_used_at"] is None
    assert client_of(body["token"]).get("/v1/tasks").status_code == 200
    shown = admin.get(PATH)
    assert body["token"] not in shown.content.decode()
    listed = next(one for one in shown.json()["tokens"] if one["token_id"] == body["token_id"])
    # By then it has been used.
    assert listed == {name: value for name, value in body.items() if name != "token"} | {
        "last_used_at": listed["last_used_at"]
    }
    assert listed["token_prefix"] == "coordinator_"
    assert listed["ending"] == body["token"][-4:]


def test_whoever_is_no_administrator_makes_none_by_a_token(operator):
    assert refusal(create(operator)) == (403, "forbidden")
    assert refusal(create(client_of(of_person("Viewer").secret))) == (403, "forbidden")


def test_a_person_who_has_signed_in_makes_their_own(settings):
    person = make_person("Operator")
    browser = Client()
    browser.force_login(person)

    made = create(browser)

    assert made.status_code == 201
    assert (made.json()["user_id"], made.json()["role"]) == (str(person.pk), "operator")
    assert refusal(create(browser, user_id=str(make_person("Viewer").pk))) == (403, "forbidden")
    assert refusal(create(browser, user_id=NOBODY)) == (403, "forbidden")
    assert refusal(create(browser, agent_id="agent-1")) == (403, "forbidden")


def test_an_administrator_makes_one_for_another_user(admin):
    other = make_person("Operator")

    made = create(admin, user_id=str(other.pk)).json()

    assert (made["user_id"], made["role"]) == (str(other.pk), "operator")
    assert fresh(other).tokens.count() == 1


def test_one_of_an_agent(admin):
    one = create(admin, agent_id="runner-1", channels=["nightly", "nightly"]).json()
    some = create(admin, agent_prefix="runner-").json()

    assert (one["role"], one["agent_id"], one["channels"]) == ("agent", "runner-1", ["nightly"])
    assert "user_id" not in one
    assert "agent_prefix" not in one
    assert some["agent_prefix"] == "runner-"
    assert "agent_id" not in some


def test_the_shared_token_says_whose_token_it_is(client, settings):
    settings.COORDINATOR_AUTH_TOKEN = "a shared token"
    shared = client_of("a shared token")

    assert create(shared).json() == {
        "error": "invalid_input",
        "message": "user_id is required, since the caller is no user",
        "details": {"user_id": ["user_id is required, since the caller is no user"]},
    }
    assert create(shared, user_id=str(make_person("Viewer").pk)).status_code == 201
    assert create(shared, agent_id="a").status_code == 201
    assert shared.get(PATH).json()["total"] == 2


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("name", {"name": ""}),
        ("name", {"name": None}),
        ("name", {"name": 5}),
        ("name", {"name": "x" * 201}),
        ("expires_at", {"expires_at": "tomorrow"}),
        ("expires_at", {"expires_at": "2020-01-01T00:00:00Z"}),
        ("expires_at", {"expires_at": "2099-01-01T00:00:00"}),
        ("expires_at", {"expires_at": "2099-13-01T00:00:00Z"}),
        ("expires_at", {"expires_at": "9999-12-31T23:59:59-12:00"}),
        ("expires_at", {"expires_at": 1}),
        ("role", {"role": "owner"}),
        ("role", {"role": "agent"}),
        ("role", {"role": "user", "agent_id": "a"}),
        ("user_id", {"user_id": NOBODY}),
        ("user_id", {"user_id": "x"}),
        ("user_id", {"user_id": NOBODY, "agent_id": "a"}),
        ("agent_prefix", {"agent_id": "a", "agent_prefix": "b"}),
        ("channels", {"channels": ["a"]}),
        ("channels", {"channels": "a", "agent_id": "a"}),
    ],
)
def test_a_wrong_field_is_named(admin, field, body):
    response = create(admin, **body)

    assert refusal(response) == (400, "invalid_input")
    assert list(response.json()["details"]) == [field]
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b'"x"', b'{"name": "\\u0000"}'])
def test_a_bad_body_is_refused(admin, body):
    response = admin.post(PATH, body, content_type="application/json")

    assert refusal(response) == (400, "invalid_input")


def test_unknown_members_are_ignored_and_null_is_never(admin):
    made = create(admin, expires_at=None, organizations=["x"], capabilities=["*"])

    assert made.status_code == 201
    assert made.json()["expires_at"] is None


def test_a_caller_lists_their_own_and_an_administrator_all(admin, operator):
    expired, _ = issue(user=make_person("Viewer"))
    let_expire(expired)
    of_agent()

    own = operator.get(PATH).json()
    assert (own["total"], len(own["tokens"])) == (1, 1)
    assert operator.get(PATH, {"all": "true", "user_id": str(expired.user_id)}).json() == own
    assert admin.get(PATH).json()["total"] == 1
    assert admin.get(PATH, {"all": "true"}).json()["total"] == 4
    theirs = admin.get(PATH, {"user_id": str(expired.user_id)}).json()
    assert [one["is_active"] for one in theirs["tokens"]] == [False]
    page = admin.get(PATH, {"all": "true", "limit": 1, "offset": 1}).json()
    assert (page["total"], len(page["tokens"])) == (4, 1)
    assert refusal(admin.get(PATH, {"offset": "x"})) == (400, "invalid_input")
    assert admin.get(PATH, {"user_id": "x"}).json()["total"] == 0


def test_a_revoked_token_is_listed_and_lets_nobody_in(admin):
    made = create(admin).json()

    gone = admin.delete(f"{PATH}/{made['token_id']}")

    assert (gone.status_code, gone.content) == (204, b"")
    assert admin.delete(f"{PATH}/{made['token_id']}").status_code == 204
    refused = client_of(made["token"]).get(PATH)
    assert refusal(refused) == (401, "unauthorized")
    assert refused.json()["message"] == "Invalid or expired token"
    assert refused["WWW-Authenticate"] == "Bearer"
    listed = next(
        one for one in admin.get(PATH).json()["tokens"] if one["token_id"] == made["token_id"]
    )
    assert listed["is_active"] is False
    assert listed["revoked_at"]


def test_who_may_revoke_which(admin, operator):
    theirs, _ = of_person("Viewer", name="theirs")
    own = operator.get(PATH).json()["tokens"][0]["token_id"]
    agent, _ = of_agent()

    assert refusal(operator.delete(f"{PATH}/{theirs.pk}")) == (403, "forbidden")
    assert refusal(operator.delete(f"{PATH}/{agent.pk}")) == (403, "forbidden")
    assert refusal(operator.delete(f"{PATH}/{NOBODY}")) == (404, "not_found")
    assert refusal(operator.delete(f"{PATH}/x")) == (404, "not_found")
    assert admin.delete(f"{PATH}/{theirs.pk}").status_code == 204
    assert admin.delete(f"{PATH}/{agent.pk}").status_code == 204
    assert operator.delete(f"{PATH}/{own}").status_code == 204
    assert refusal(operator.get(PATH)) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "Missing Authorization header"),
        ("token123", "Invalid Authorization header format"),
        ("Basic x", "Invalid Authorization header format"),
        ("Bearertoken", "Invalid Authorization header format"),
        ("Bearer ", "Empty token"),
        ("Bearer", "Empty token"),
        ("Bearer x", "Invalid or expired token"),
        (f"Bearer coordinator_{'0' * 64}", "Invalid or expired token"),
    ],
)
def test_nobody_is_told_what_is_missing(header, message):
    of_agent()
    headers = {"authorization": header} if header is not None else {}

    response = Client().get(PATH, headers=headers)

    assert refusal(response) == (401, "unauthorized")
    assert response.json()["message"].startswith(message)


@pytest.mark.parametrize(
    ("method", "path"), [("patch", PATH), ("put", PATH), ("options", PATH), ("get", PATH + "/x")]
)
def test_another_method_is_refused(admin, method, path):
    response = getattr(admin, method)(path)

    assert refusal(response) == (405, "method_not_allowed")
    assert response["Allow"]


def test_a_person_without_rights_and_an_agent_have_none():
    nobody = client_of(of_person("").secret)
    agent = client_of(of_agent().secret)

    for client in (nobody, agent):
        assert refusal(client.get(PATH)) == (403, "forbidden")
        assert refusal(create(client)) == (403, "forbidden")


@pytest.mark.parametrize("name", ["agent_id", "agent_prefix"])
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_name_of_an_agent_gives_no_token_of_the_caller(admin, name, blank):
    answer = admin.post("/api/v1/tokens", {"name": "worker", name: blank}, "application/json")

    assert answer.status_code == 400
    assert answer.json()["details"] == {name: [f"{name} must not be blank"]}
