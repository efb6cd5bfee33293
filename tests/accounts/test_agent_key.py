"""`X-Orhestra-Key`: while there is an agent key, it alone opens the paths of SPOTs."""

import pytest
from django.urls import path, re_path
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import caller_of
from accounts.models import User
from spots.views import OfSpots

KEY = "s3cret-kéy"
ON_THE_WIRE = KEY.encode().decode("latin-1")


class WhoView(APIView):
    def get(self, request):
        caller = caller_of(request)
        return Response({"kind": caller.kind, "name": caller.name})

    post = get


class SpotWhoView(WhoView):
    authentication_classes = OfSpots.authentication_classes


urlpatterns = [path("internal/v1/who", SpotWhoView.as_view()), path("v1/who", WhoView.as_view())]
urlpatterns.append(re_path("^api/v1/who$", WhoView.as_view()))
handler404 = "problems.views.not_found"


@pytest.fixture(autouse=True)
def who(settings):
    settings.ROOT_URLCONF = __name__
    settings.ORHESTRA_AGENT_KEY = ""
    settings.COORDINATOR_AUTH_TOKEN = ""


@pytest.fixture
def key(settings):
    settings.ORHESTRA_AGENT_KEY = KEY


@pytest.fixture
def token(settings):
    settings.COORDINATOR_AUTH_TOKEN = "t"


def refusal(response):
    body = response.json()
    assert body.keys() == {"success", "error"}
    assert body["success"] is False
    return response.status_code, body["error"]


NEEDED = (401, "Send the agent key as 'X-Orhestra-Key'.")


@pytest.mark.usefixtures("key")
def test_the_key_lets_spots_in_from_anywhere(client):
    response = client.post(
        "/internal/v1/who", headers={"x-orhestra-key": ON_THE_WIRE}, REMOTE_ADDR="203.0.113.9"
    )

    assert response.json() == {"kind": "agent_key", "name": "agent-key"}


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-orhestra-key": ""},
        {"x-orhestra-key": ON_THE_WIRE[:-1]},
        {"x-orhestra-key": ON_THE_WIRE + "x"},
        {"x-orhestra-key": ON_THE_WIRE.upper()},
        {"x-orhestra-key": "\xff\xfe"},
        {"x-api-key": ON_THE_WIRE},
        {"authorization": f"Bearer {ON_THE_WIRE}"},
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "203.0.113.9"])
def test_a_spot_without_the_key_is_refused(client, headers, address):
    response = client.post("/internal/v1/who", headers=headers, REMOTE_ADDR=address)

    assert refusal(response) == NEEDED


@pytest.mark.usefixtures("key", "token")
def test_the_token_does_not_stand_in_for_the_key(client):
    assert refusal(client.post("/internal/v1/who", headers={"x-api-key": "t"})) == NEEDED
    both = client.post("/internal/v1/who", headers={"x-orhestra-key": ON_THE_WIRE})
    assert both.json()["kind"] == "agent_key"


@pytest.mark.usefixtures("key")
@pytest.mark.django_db
def test_neither_does_a_signed_in_person(client):
    client.force_login(User.objects.create_superuser("operator"))

    assert refusal(client.post("/internal/v1/who")) == NEEDED


@pytest.mark.usefixtures("key")
def test_the_key_is_checked_before_the_path(client, settings):
    settings.ROOT_URLCONF = "coordinator_project.urls"

    assert refusal(client.get("/internal/nowhere")) == NEEDED
    known = client.get("/internal/nowhere", headers={"x-orhestra-key": ON_THE_WIRE})
    assert refusal(known) == (404, "not found")


@pytest.mark.usefixtures("key", "token")
@pytest.mark.parametrize("path", ["/v1/who", "/api/v1/who"])
def test_the_key_opens_nothing_else(client, path):
    assert client.get(path, headers={"x-orhestra-key": ON_THE_WIRE}).status_code == 401


@pytest.mark.usefixtures("key")
def test_the_key_does_not_end_protected_mode(client):
    headers = {"x-orhestra-key": ON_THE_WIRE}
    there = client.get("/v1/who", headers=headers, REMOTE_ADDR="203.0.113.9")

    assert client.get("/v1/who", headers=headers).json()["kind"] == "local"
    assert (there.status_code, there.json()["error"]["code"]) == (403, "protected_mode")


def test_without_a_key_spots_are_let_in_like_others(client):
    assert client.post("/internal/v1/who").json()["kind"] == "local"
    elsewhere = client.post("/internal/v1/who", REMOTE_ADDR="203.0.113.9")
    assert refusal(elsewhere)[0] == 403


@pytest.mark.usefixtures("token")
def test_without_a_key_the_token_lets_spots_in(client):
    assert refusal(client.post("/internal/v1/who"))[0] == 401
    empty = client.post("/internal/v1/who", headers={"x-orhestra-key": ""})
    assert refusal(empty)[0] == 401
    known = client.post("/internal/v1/who", headers={"x-api-key": "t"})
    assert known.json()["kind"] == "token"


def test_the_key_costs_no_look_up_in_the_database(client, settings):
    settings.ORHESTRA_AGENT_KEY = "k"

    # No database is allowed in this test: one query would fail it.
    response = client.post(
        "/internal/v1/who", headers={"x-orhestra-key": "k", "cookie": f"sessionid={'x' * 32}"}
    )
    assert response.json()["kind"] == "agent_key"
