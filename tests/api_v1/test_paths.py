"""Unknown paths, and methods that a path does not support."""

import pytest

from tests.api_v1.calls import UNKNOWN, Api, message, refusal

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
READ = {"GET", "HEAD"}
ANSWERS = {
    "/agents": READ,
    "/agents/heartbeat": READ | {"POST"},
    "/agents/request-session": READ | {"POST"},
    "/agents/a": READ,
    "/agents/a/current-task": READ,
    "/agents/a/chain": READ,
    "/agents/a/channels": {"PATCH"},
    "/notifications": READ,
    "/notifications/dismiss": {"POST"},
    "/channels": READ | {"POST"},
    "/channels/by-name/x": READ,
    "/chains": READ | {"POST"},
    f"/chains/{UNKNOWN}": READ | {"PUT", "DELETE"},
    f"/chains/{UNKNOWN}/detach": {"POST"},
    f"/chains/{UNKNOWN}/assign-agent": {"POST"},
    "/tasks": READ | {"POST"},
    "/tasks/claim": {"POST"},
    "/tasks/report": {"POST"},
    "/tasks/assign": {"POST"},
    "/tasks/complete": {"POST"},
    "/tasks/fail": {"POST"},
    "/tasks/inputs": {"POST"},
    "/tasks/inputs/claim": {"POST"},
    f"/tasks/{UNKNOWN}": READ,
    f"/tasks/{UNKNOWN}/status": {"POST"},
    f"/tasks/{UNKNOWN}/cancel": {"POST"},
    f"/tasks/{UNKNOWN}/requeue": {"POST"},
    f"/tasks/{UNKNOWN}/renew": {"POST"},
    "/dead-letters": READ,
    "/dead-letters/requeue": {"POST"},
    "/dead-letters/purge": {"POST"},
    "/events": READ | {"POST"},
}


def methods_in(allow):
    return {method.strip() for method in allow.split(",")}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ANSWERS)
def test_the_answer_to_a_wrong_method_lists_the_right_ones(api, path):
    for method in sorted(METHODS - ANSWERS[path]):
        response = api.send(method, path, {})

        assert response.status_code == 405, method
        assert methods_in(response["Allow"]) == ANSWERS[path], method
        if method != "HEAD":
            assert refusal(response) == (405, "method_not_allowed")


def test_health_supports_only_get(client):
    response = client.post("/health")

    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"
    assert methods_in(response["Allow"]) >= {"GET"}


@pytest.mark.django_db
@pytest.mark.parametrize("method", sorted(METHODS - {"HEAD"}))
@pytest.mark.parametrize(
    "path",
    ["", "/", "/nothing", "/tasks/", "/tasks/x", "/tasks/x/cancel", "/chains/x/y", "/channels/x"],
)
def test_an_unknown_path_is_not_found(api, method, path):
    assert refusal(api.send(method, path, {})) == (404, "not_found")


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["%ff", "%ED%A0%80", "a%2F..%2Fb", "%0A", "x" * 500])
@pytest.mark.parametrize("path", ["/agents/{}", "/agents/{}/chain", "/channels/by-name/{}"])
def test_an_id_in_a_path_may_be_any_nonsense(client, path, text):
    response = Api(client).send("get", path.format(text))

    assert refusal(response) == (404, "not_found")


@pytest.mark.django_db
def test_an_id_in_a_path_that_cannot_be_stored_is_named(api):
    for response in (
        api.get("/agents/%00"),
        api.get("/agents/%00/chain"),
        api.patch("/agents/%00/channels", subscriptions=[]),
    ):
        assert refusal(response) == (400, "invalid_request")
        assert "agent_id" in message(response)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["%ff", "x" * 500])
def test_the_channels_of_nonsense_are_not_set(client, text):
    response = Api(client).send("patch", f"/agents/{text}/channels", {"subscriptions": []})

    assert refusal(response) == (404, "not_found")
