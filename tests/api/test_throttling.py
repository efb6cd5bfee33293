"""Rate limits over HTTP: whose requests count together, in which scope, and what too many get."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncRequestFactory, RequestFactory
from rest_framework.exceptions import Throttled

from accounts import websockets
from accounts.callers import LOCAL, TOKEN, Caller, CallerKind
from api.buckets import Buckets, Rate
from api.throttling import address_of, limits
from coordinator_project import env
from coordinator_project.settings import REST_FRAMEWORK
from problems import TooMany, drf, http
from tasks.waiting_views import WaitingClaimView
from tests.console.people import browser_of

KEY = {"x-api-key": "the shared token"}
FAR = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture(autouse=True)
def token(settings):
    settings.COORDINATOR_AUTH_TOKEN = "the shared token"


@pytest.fixture
def two_a_day(monkeypatch):
    """Every scope takes two requests."""
    scopes = REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    monkeypatch.setattr(limits, "buckets", {one: Buckets(Rate(2, 86_400)) for one in scopes})


def statuses(send, times=3):
    return [send().status_code for _ in range(times)]


def post(client, path, body=None, headers=KEY, **more):
    return client.post(path, body or {}, content_type="application/json", headers=headers, **more)


@pytest.mark.django_db
@pytest.mark.usefixtures("two_a_day")
def test_too_many_are_told_when_to_come_again(client):
    statuses(lambda: client.get("/v1/channels", headers=KEY), 2)

    refused = client.get("/v1/channels", headers=KEY)

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert "read" in refused.json()["error"]["message"]
    assert refused.headers["RateLimit-Limit"] == "2"
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert 0 < int(refused.headers["Retry-After"]) <= 43_200
    assert int(refused.headers["Retry-After"]) < int(refused.headers["RateLimit-Reset"]) <= 86_400
    assert refused.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
@pytest.mark.usefixtures("two_a_day")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/channels", {"error": {"code", "message"}}),
        ("/api/v1/jobs", {"error", "message"}),
        ("/api/v1/spots", {"success", "error"}),
        ("/nowhere", {"error": {"code", "message"}}),
    ],
)
def test_they_are_told_in_the_form_of_their_family(client, path, body):
    statuses(lambda: client.get(path, headers=KEY), 2)

    refused = client.get(path, headers=KEY)

    assert refused.status_code == 429
    answer = refused.json()
    assert answer.keys() == set(body)
    if isinstance(body, dict):
        assert answer["error"].keys() == body["error"]


@pytest.mark.django_db
@pytest.mark.usefixtures("two_a_day")
@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1/tasks/claim", "claim"),
        ("/v1/tasks/report", "report"),
        ("/v1/tasks/complete", "report"),
        ("/v1/tasks/fail", "report"),
        ("/v1/tasks/01900000-0000-7000-8000-000000000000/release", "report"),
        ("/v1/tasks/01900000-0000-7000-8000-000000000000/renew", "heartbeat"),
        ("/v1/agents/heartbeat", "heartbeat"),
        ("/v1/tasks", "change"),
        ("/internal/v1/hello", "heartbeat"),
        ("/internal/v1/heartbeat", "heartbeat"),
        ("/internal/v1/tasks/claim", "claim"),
        ("/internal/v1/tasks/x/complete", "report"),
        ("/internal/v1/tasks/x/fail", "report"),
        ("/internal/v1/tasks/x/release", "report"),
    ],
)
def test_each_kind_of_request_has_a_limit_of_its_own(client, path, scope):
    refused = [post(client, path) for _ in range(3)][-1]

    assert refused.status_code == 429
    assert f"({scope})" in str(refused.json()["error"])
    others = REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"].keys() - {scope}
    assert [limits.take(other, TOKEN.counted_as) for other in others] == [None] * len(others)


@pytest.mark.usefixtures("two_a_day")
async def test_a_claim_that_waits_is_counted_when_it_begins():
    served, make = WaitingClaimView.as_view(), AsyncRequestFactory()
    # The values are refused after the throttle, so nothing waits and no database is asked.
    ask = make.post("/v1/tasks/claim/wait?wait_seconds=x", headers=KEY)

    found = [(await served(ask)).status_code for _ in range(3)]

    assert found == [400, 400, 429]


@pytest.mark.usefixtures("two_a_day")
def test_a_websocket_is_counted_when_it_opens():
    sent = [(b"host", b"localhost"), (b"x-api-key", KEY["x-api-key"].encode())]
    scope = {"type": "websocket", "path": "/console/live", "query_string": b"", "headers": sent}

    assert [websockets.caller_in(scope) for _ in range(2)] == [TOKEN, TOKEN]
    with pytest.raises(TooMany):
        websockets.caller_in(scope)


@pytest.mark.django_db
@pytest.mark.usefixtures("two_a_day")
def test_a_credential_counts_wherever_it_comes_from_and_callers_do_not_count_for_each_other(client):
    person = browser_of("Viewer")

    assert statuses(lambda: client.get("/v1/channels", headers=KEY), 2) == [200, 200]
    assert client.get("/v1/channels", headers=KEY, **FAR).status_code == 429
    assert statuses(lambda: person.get("/v1/channels")) == [200, 200, 429]


@pytest.mark.usefixtures("two_a_day")
def test_without_a_credential_the_address_counts(client):
    assert statuses(lambda: client.get("/v1/channels")) == [401, 401, 429]
    assert statuses(lambda: client.get("/v1/tasks", **FAR)) == [401, 401, 429]


@pytest.mark.django_db
@pytest.mark.usefixtures("two_a_day")
def test_who_has_a_credential_does_not_wait_for_others_at_the_address(client):
    statuses(lambda: client.get("/v1/channels", headers={"x-api-key": "a wrong one"}))

    assert client.get("/v1/channels", headers=KEY).status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("two_a_day")
def test_in_protected_mode_nobody_is_counted(client, settings):
    settings.COORDINATOR_AUTH_TOKEN = ""

    assert statuses(lambda: client.get("/v1/channels"), 4) == [200] * 4


@pytest.mark.django_db
@pytest.mark.usefixtures("two_a_day")
@pytest.mark.parametrize("path", ["/health"])
def test_health_is_never_refused(client, path):
    assert statuses(lambda: client.get(path), 4) == [200] * 4


def test_a_limit_costs_no_look_up_in_the_database(client):
    # No database is allowed in this test: one query would fail it.
    assert client.get("/nowhere", headers=KEY).status_code == 404


def test_a_scope_without_a_rate_has_no_limit(monkeypatch):
    monkeypatch.setattr(limits, "buckets", {})

    assert [limits.take("claim", "a") for _ in range(3)] == [None] * 3


def test_callers_are_told_apart_by_what_they_are_not_by_what_they_know():
    person = Caller(CallerKind.USER, "user:ann", user_id="0190")

    assert (TOKEN.counted_as, person.counted_as, LOCAL.counted_as) == (
        "token:token",
        "user:0190",
        "",
    )


@pytest.mark.parametrize(
    ("proxies", "forwarded", "counted"),
    [
        (0, "198.51.100.7", "192.0.2.1"),
        (1, "203.0.113.5, 198.51.100.7", "198.51.100.7"),
        (2, "203.0.113.5, 198.51.100.7", "203.0.113.5"),
        (1, "nonsense", ""),
        (1, None, "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "::ffff:198.51.100.7", "198.51.100.7"),
        (1, "fe80::1%eth0", "fe80::"),
    ],
)
def test_only_proxies_that_are_trusted_say_where_a_request_comes_from(
    settings, proxies, forwarded, counted
):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": proxies}
    headers = {"x-forwarded-for": forwarded} if forwarded else {}

    assert (
        address_of(RequestFactory().get("/", headers=headers, REMOTE_ADDR="192.0.2.1")) == counted
    )


def test_a_problem_that_knows_no_limit_says_when_to_come_again():
    assert http.headers_of(TooMany(retry_after=7)) == {"Retry-After": "7"}
    assert http.status_of(TooMany()) == 429


def test_rest_frameworks_own_refusal_is_the_same_problem():
    answer = drf.exception_handler(Throttled(3), {"request": RequestFactory().get("/v1/tasks")})

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")


@pytest.mark.parametrize("value", ["5", "5/w", "0/s", "-1/s", "on"])
def test_a_rate_that_is_none_is_refused_at_the_start(monkeypatch, value):
    monkeypatch.setenv("COORDINATOR_RATE_CLAIM", value)

    with pytest.raises(ImproperlyConfigured, match="COORDINATOR_RATE_CLAIM"):
        env.rate("COORDINATOR_RATE_CLAIM", default="1/s")


def test_a_limit_is_switched_off_by_its_setting(monkeypatch):
    monkeypatch.setenv("COORDINATOR_RATE_CLAIM", "off")

    assert env.rate("COORDINATOR_RATE_CLAIM", default="1/s") is None
