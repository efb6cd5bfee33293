"""Which functions a token may call that is limited to scopes, and what it is told elsewhere."""

from itertools import combinations

import pytest

from accounts.scopes import Scope
from collab import function_urls
from collab.functions import PREFIX
from tests.accounts.tokens import client_of, issue
from tests.collab.calls import refusal
from tests.console.people import make_person

pytestmark = pytest.mark.django_db

SCOPES = {
    "metrics-overview": "read",
    "jobs-recent": "read",
    "job-status": "read",
    "job-events": "read",
    "artifacts-list": "read",
    "workers-active": "read",
    "dlq-list": "read",
    "sign-artifact": "sign",
    "leases-release": "ops",
    "dlq-retry": "ops",
}
SETS = [some for size in (1, 2, 3, 4) for some in combinations(Scope.values, size)]
ELSEWHERE = {
    "/v1/tasks": {"error": {"code", "message"}},
    "/api/v1/tokens": {"error", "message"},
    "/api/v1/spots": {"success", "error"},
    "/api/collab/jobs/recent": {"error", "details", "code", "hint"},
}


def limited(scopes):
    return client_of(issue(user=make_person("Admin"), scopes=scopes).secret)


def test_every_function_has_its_row_here():
    paths = (str(one.pattern) for one in function_urls.urlpatterns)

    assert {path.removeprefix(PREFIX) for path in paths if path.startswith(PREFIX)} == set(SCOPES)


@pytest.mark.parametrize("scopes", SETS, ids="+".join)
def test_a_token_calls_the_functions_of_its_scopes_alone(scopes):
    """Those that it may call refuse what is missing in the request, or carry it out."""
    client = limited(scopes)

    for name, scope in SCOPES.items():
        method = "POST" if name == "dlq-retry" else "GET"
        answer = client.generic(method, f"/{PREFIX}{name}", "{}", "application/json")
        if scope in scopes:
            assert answer.status_code in {200, 400}, (name, answer.content)
        else:
            assert refusal(answer) == (403, "forbidden"), name
            assert "limited to functions" in answer.json()["error"]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_elsewhere_it_is_refused_in_the_form_of_the_path(path):
    answer = limited(Scope.values).get(path)

    expected, body = ELSEWHERE[path], answer.json()
    assert answer.status_code == 403
    assert body.keys() == set(expected)
    if isinstance(expected, dict):
        assert body["error"].keys() == expected["error"]
        assert body["error"]["code"] == "not_allowed"
