"""How often a token may call functions: in a minute, by their scope, and on a day."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import ApiToken, User
from api.buckets import Buckets, Rate
from api.throttling import limits
from collab import quotas
from collab.models import FunctionUse
from coordinator_project.settings import REST_FRAMEWORK
from tests.accounts.tokens import client_of, issue, of_person
from tests.collab.calls import refusal
from tests.collab.functions import Functions
from tests.console.people import browser_of, make_person

pytestmark = pytest.mark.django_db

SCOPES = {
    "function_read": ("GET", "workers-active"),
    "function_sign": ("GET", "sign-artifact"),
    "function_ops": ("POST", "leases-release"),
    "function_keys": ("POST", "key-vault/get"),
}


@pytest.fixture
def two_a_minute(monkeypatch):
    """Each limit takes two requests of a caller."""
    rates = REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    monkeypatch.setattr(limits, "buckets", {one: Buckets(Rate(2, 60.0)) for one in rates})


@pytest.fixture
def two_a_day(settings):
    settings.FUNCTION_DAILY_QUOTA = 2


def caller(**fields):
    """The functions as one more token of the operator calls them."""
    person = User.objects.filter(username="operator").first() or make_person("Operator")
    return Functions(client_of(issue(user=person, **fields).secret))


def call(functions, scope="function_read"):
    method, name = SCOPES[scope]
    return functions.get(name) if method == "GET" else functions.post(name, b"")


def is_taken(response):
    return response.status_code != 429


@pytest.mark.usefixtures("two_a_minute")
@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_has_a_limit_of_its_own_for_each_token(scope):
    one, other = caller(), caller()

    taken = [is_taken(call(one, scope)) for _ in range(2)]
    refused = call(one, scope)

    assert taken == [True, True]
    assert refusal(refused) == (429, "rate_limited")
    assert 0 < int(refused["Retry-After"]) <= 30
    assert refused["RateLimit-Limit"] == "2"
    assert refused["RateLimit-Remaining"] == "0"
    assert int(refused["RateLimit-Reset"]) <= 60
    assert is_taken(call(other, scope))
    for another in SCOPES.keys() - {scope}:
        assert is_taken(call(one, another))
    # Reads and changes elsewhere have their own limits.
    assert one.client.get("/v1/channels").status_code == 200


def test_the_limits_are_settings_with_a_default():
    rates = REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]

    assert {scope: rates[scope] for scope in SCOPES} == {
        "function_read": "600/m",
        "function_sign": "300/m",
        "function_ops": "60/m",
        "function_keys": "300/m",
    }


def test_without_a_quota_nothing_is_counted():
    functions = caller()

    assert is_taken(call(functions))
    assert not FunctionUse.objects.exists()


@pytest.mark.usefixtures("two_a_day")
def test_a_token_has_its_quota_of_a_day_for_all_functions_together():
    one, other = caller(), caller()

    taken = [is_taken(call(one, "function_read")), is_taken(call(one, "function_ops"))]
    refused = call(one, "function_sign")

    assert taken == [True, True]
    assert refusal(refused) == (429, "rate_limited")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0) + timedelta(days=1)
    left = (midnight - datetime.now(UTC)).total_seconds()
    assert abs(int(refused["Retry-After"]) - left) < 5
    assert refused["RateLimit-Limit"] == "2"
    assert refused["RateLimit-Reset"] == refused["Retry-After"]
    assert is_taken(call(other))
    assert sorted(FunctionUse.objects.values_list("calls", flat=True)) == [1, 2]


@pytest.mark.usefixtures("two_a_day")
def test_what_is_refused_is_not_counted():
    functions = caller(scopes=["read"])
    for _ in range(3):
        assert call(functions, "function_ops").status_code == 403

    assert is_taken(call(functions))
    assert FunctionUse.objects.get().calls == 1


@pytest.mark.usefixtures("two_a_day")
def test_the_next_day_begins_anew():
    functions = caller()
    while is_taken(call(functions)):
        pass

    FunctionUse.objects.update(day=timezone.now().date() - timedelta(days=1))

    assert is_taken(call(functions))
    used = FunctionUse.objects.get()
    assert (used.day, used.calls) == (datetime.now(UTC).date(), 1)


@pytest.mark.usefixtures("two_a_day")
def test_people_and_this_machine_have_no_quota(client):
    for functions in (Functions(client), Functions(browser_of("Viewer"))):
        assert all(is_taken(call(functions)) for _ in range(3))


@pytest.mark.usefixtures("two_a_day")
def test_the_count_goes_with_its_token():
    functions = caller()
    call(functions)

    ApiToken.objects.all().delete()

    assert not FunctionUse.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_calls_at_once_as_many_are_taken_as_the_quota_has():
    token = of_person("Viewer").token

    def count(_):
        try:
            return quotas.count(token.pk, 10)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(count, range(40)))

    assert sum(taken) == 10
    assert FunctionUse.objects.get().calls == 10
