import json
from types import SimpleNamespace

import pytest
from django.http import HttpResponse, JsonResponse

from coordinator_project import openapi
from tests.conftest import FOLDER
from tests.schema_check import Outside, check, missed_of, whole

HEADERS = {"X-Request-Id": "1", "Cache-Control": "no-store"}
HEALTH = {"ok": True, "time": "2026-01-31T12:00:00Z"}


def answered(rf, path, response, method="get"):
    request = getattr(rf, method)(path)
    request.resolver_match = None
    check(request, response)


def test_an_answer_as_declared_passes(rf):
    answered(rf, "/health", JsonResponse(HEALTH, headers=HEADERS))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"ok": True}, "'time' is a required property"),
        (HEALTH | {"more": 1}, "'more' was unexpected"),
        (HEALTH | {"ok": "yes"}, "'yes' is not of type 'boolean'"),
        (HEALTH | {"time": "yesterday"}, "is not a 'date-time'"),
    ],
)
def test_another_body_is_refused(rf, body, why):
    with pytest.raises(Outside, match=why):
        answered(rf, "/health", JsonResponse(body, headers=HEADERS))


def test_a_status_that_is_not_declared_is_refused(rf):
    with pytest.raises(Outside, match="health has no such status"):
        answered(rf, "/health", JsonResponse(HEALTH, headers=HEADERS, status=201))


def test_a_missing_header_is_refused(rf):
    with pytest.raises(Outside, match="without X-Request-Id, Cache-Control"):
        answered(rf, "/health", JsonResponse(HEALTH))


def test_another_media_type_is_refused(rf):
    with pytest.raises(Outside, match="'text/html' is not declared"):
        answered(rf, "/health", HttpResponse("ok", headers=HEADERS))


def test_a_good_answer_of_a_method_without_operation_is_refused(rf):
    with pytest.raises(Outside, match="there is no such operation"):
        answered(rf, "/health", JsonResponse(HEALTH, headers=HEADERS), "delete")


def test_a_good_answer_where_there_is_nothing_is_refused(rf):
    with pytest.raises(Outside, match="there is no such operation"):
        answered(rf, "/v1/nothing", JsonResponse({}, headers=HEADERS))


def test_an_answer_without_content_has_none(rf):
    path = "/v1/chains/019c1a2b-3c4d-7e5f-8a9b-0c1d2e3f4a5b"
    with pytest.raises(Outside, match="it should have no body"):
        answered(rf, path, JsonResponse({}, headers=HEADERS, status=204), "delete")


def test_tests_with_urls_of_their_own_are_left_alone(rf, settings):
    settings.ROOT_URLCONF = "tests.problems.test_problems"

    answered(rf, "/v1/anything", HttpResponse())


def test_a_status_that_no_process_has_met_is_named(tmp_path):
    answers = [
        f"{operation['operationId']} {status}"
        for _, _, operation in openapi.operations(whole())
        for status in operation["responses"]
        if status not in {"408", "429"}
    ]
    own = [one for one in answers if one[-3:] in {"200", "404", "409"}]
    (tmp_path / "met-gw0.json").write_text(json.dumps(answers[::2]))
    (tmp_path / "met-gw1.json").write_text(json.dumps(answers[1::2]))
    stash = {FOLDER: str(tmp_path)}

    assert missed_of(SimpleNamespace(stash=stash)) == ["429"]

    left = [one for one in answers if one not in own[:2]]
    (tmp_path / "met-gw0.json").write_text(json.dumps(left))
    (tmp_path / "met-gw1.json").write_text(json.dumps([f"{left[0]}", "x 429"]))
    assert missed_of(SimpleNamespace(stash=stash)) == sorted(own[:2])
