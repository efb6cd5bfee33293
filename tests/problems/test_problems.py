"""The answer to each problem."""

import json

import pytest
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from django.test import RequestFactory, override_settings
from django.urls import path
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import APIView

import problems
from problems import Conflict, Invalid, Problem, Unavailable, http, views


class LeaseLost(Conflict):
    """The task is no longer leased to this agent."""


def answered(response):
    return response.status_code, json.loads(response.content)["error"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (problems.Invalid, 400, "invalid_request"),
        (problems.Unauthorized, 401, "unauthorized"),
        (problems.Forbidden, 403, "forbidden"),
        (problems.NotFound, 404, "not_found"),
        (problems.MethodNotAllowed, 405, "method_not_allowed"),
        (problems.Conflict, 409, "conflict"),
        (problems.TooLarge, 413, "payload_too_large"),
        (problems.Unavailable, 503, "unavailable"),
        (LeaseLost, 409, "conflict"),
        (Problem, 400, "problem"),
    ],
)
def test_each_problem_has_its_status_and_code(kind, status, code):
    response = http.respond(RequestFactory().get("/v1/tasks"), kind("So it is."))

    assert answered(response) == (status, {"code": code, "message": "So it is."})


def test_a_code_may_be_given_where_a_problem_is_raised():
    problem = Conflict("No.", code="not_owner")

    assert (problem.code, Conflict("No.").code) == ("not_owner", "conflict")


def test_the_default_message_is_the_docstring():
    assert LeaseLost().message == "The task is no longer leased to this agent."


def test_an_answer_to_try_again_says_when():
    assert http.respond(RequestFactory().get("/v1"), Unavailable())["Retry-After"] == "1"


@pytest.mark.parametrize("path", ["/internal/v1/hello", "/internal/", "/api/v1/jobs"])
def test_spots_and_their_users_get_errors_in_their_own_form(path):
    request = RequestFactory().get(path)

    plain = http.respond(request, Invalid("spotId is required"))
    brief = http.respond(request, views.NothingThere("There is nothing at /x."))

    assert json.loads(plain.content) == {"success": False, "error": "spotId is required"}
    assert json.loads(brief.content) == {"success": False, "error": "not found"}


def test_an_answer_is_json_with_a_newline_at_its_end():
    response = http.respond(RequestFactory().get("/v1"), Invalid("x"))

    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response.content.endswith(b"}\n")


RAISED: list[Exception] = []


class RaisingView(APIView):
    def get(self, request):
        if RAISED:
            raise RAISED[0]
        return Response({})


urlpatterns = [
    path("v1/raise", RaisingView.as_view()),
    path("admin/raise", RaisingView.as_view()),
]
handler400 = "problems.views.bad_request"
handler404 = "problems.views.not_found"


@pytest.fixture
def get(client, settings):
    settings.ROOT_URLCONF = __name__
    client.raise_request_exception = False

    def get(exception, url="/v1/raise"):
        RAISED[:] = [exception]
        return client.get(url)

    yield get
    RAISED.clear()


@pytest.mark.parametrize(
    ("exception", "status", "code"),
    [
        (LeaseLost("Gone."), 409, "conflict"),
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "forbidden"),
        (RequestDataTooBig(), 413, "payload_too_large"),
        (OperationalError("deadlock detected\nDETAIL"), 503, "unavailable"),
        (InterfaceError("connection already closed"), 503, "unavailable"),
        (DataError("value too long"), 400, "invalid_request"),
        (IntegrityError("a fault of ours"), 500, "internal"),
        (exceptions.ParseError(), 400, "invalid_request"),
        (exceptions.NotAuthenticated(), 401, "unauthorized"),
        (exceptions.MethodNotAllowed("GET"), 405, "method_not_allowed"),
    ],
)
def test_an_exception_of_a_view_becomes_an_answer(get, exception, status, code):
    response = get(exception)

    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert "DETAIL" not in response.content.decode()


def test_a_crash_is_logged_and_tells_nothing(get, caplog):
    response = get(RuntimeError("the secret is 42"))

    assert answered(response) == (
        500,
        {"code": "internal", "message": "Something went wrong here."},
    )
    assert "the secret is 42" in caplog.text


def test_a_crash_of_a_view_fails_the_test_that_did_not_expect_it(get, client):
    client.raise_request_exception = True

    with pytest.raises(RuntimeError):
        get(RuntimeError("x"))


def test_an_unknown_path_of_an_api_answers_json(client):
    response = client.get("/v1/nowhere")

    assert answered(response) == (
        404,
        {"code": "not_found", "message": "There is nothing at /v1/nowhere."},
    )


@override_settings(ALLOWED_HOSTS=["localhost"])
def test_an_unknown_host_answers_json(client):
    response = client.get("/v1/agents", headers={"host": "evil.example"})

    assert response.status_code in {400, 403}
    assert response.json()["error"]["code"] in {"unknown_host", "protected_mode"}


def test_the_answer_to_an_unknown_host_names_the_setting(rf):
    response = views.bad_request(rf.get("/v1/agents"), DisallowedHost("evil.example"))

    assert response.status_code == 400
    assert b"COORDINATOR_ALLOWED_HOSTS" in response.content


def test_people_in_the_admin_get_html(admin_client):
    response = admin_client.get("/admin/nowhere/")

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")
