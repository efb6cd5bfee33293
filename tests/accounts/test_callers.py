"""Which credential lets a caller in, and the answer to everybody else."""

import pytest
from django.test import AsyncRequestFactory, Client, RequestFactory
from django.urls import path, re_path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import STREAM_AUTHENTICATION
from accounts.callers import caller_of
from accounts.models import User
from api.async_views import AsyncAPIView
from api.nothing import NothingView
from coordinator_project.health import HealthView

TOKEN = "s3cret-tökén"
ON_THE_WIRE = TOKEN.encode().decode("latin-1")


class WhoView(APIView):
    def get(self, request):
        caller = caller_of(request)
        return Response({"kind": caller.kind, "name": caller.name, "user_id": caller.user_id})

    post = get


class StreamWhoView(WhoView):
    authentication_classes = STREAM_AUTHENTICATION


urlpatterns = [
    path("v1/stream", StreamWhoView.as_view()),
    path("v1/who", WhoView.as_view()),
    path("health", HealthView.as_view()),
    re_path("", NothingView.as_view()),
]
handler404 = "problems.views.not_found"


@pytest.fixture(autouse=True)
def who(settings):
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def token(settings):
    settings.COORDINATOR_AUTH_TOKEN = TOKEN


def code_of(response):
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {ON_THE_WIRE}"},
        {"authorization": f"bearer  {ON_THE_WIRE}"},
        {"x-api-key": ON_THE_WIRE},
        {"authorization": "Bearer wrong", "x-api-key": ON_THE_WIRE},
        {"authorization": "Basic abc", "x-api-key": ON_THE_WIRE},
    ],
)
def test_the_shared_token_lets_in_from_anywhere(client, headers):
    response = client.post("/v1/who", headers=headers, REMOTE_ADDR="203.0.113.9")

    assert response.json() == {"kind": "token", "name": "token", "user_id": None}


@pytest.mark.usefixtures("token")
def test_the_token_may_stand_in_the_query_for_a_stream_only(client):
    assert client.get("/v1/stream", {"token": TOKEN}).status_code == 200
    assert code_of(client.post("/v1/stream", query_params={"token": TOKEN})) == (
        401,
        "unauthorized",
    )
    assert code_of(client.get("/v1/who", {"token": TOKEN})) == (401, "unauthorized")


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": ON_THE_WIRE},
        {"authorization": f"Basic {ON_THE_WIRE}"},
        {"authorization": f"Bearer {ON_THE_WIRE}x"},
        {"x-api-key": ON_THE_WIRE[:-1]},
        {"x-api-key": "\xff\xfe"},
        {"cookie": "sessionid=forged"},
    ],
)
@pytest.mark.django_db
def test_once_a_token_is_set_nothing_else_lets_in(client, headers):
    response = client.get("/v1/who", headers=headers)

    assert code_of(response) == (401, "unauthorized")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.usefixtures("token")
def test_unknown_paths_look_like_known_ones_without_a_credential(client):
    assert code_of(client.get("/v1/nowhere")) == (401, "unauthorized")
    assert code_of(client.get("/nowhere")) == (401, "unauthorized")
    known = client.get("/v1/nowhere", headers={"x-api-key": ON_THE_WIRE})
    assert code_of(known) == (404, "not_found")


@pytest.mark.usefixtures("token")
def test_health_is_public(client):
    assert client.get("/health", REMOTE_ADDR="203.0.113.9").status_code == 200


@pytest.mark.usefixtures("token")
@pytest.mark.django_db
def test_a_signed_in_person_of_the_staff_is_let_in():
    admin = User.objects.create_superuser("admin")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin)

    response = browser.get("/v1/who", REMOTE_ADDR="203.0.113.9")

    assert response.json() == {"kind": "user", "name": "user:admin", "user_id": str(admin.pk)}


@pytest.mark.usefixtures("token")
@pytest.mark.django_db
def test_a_signed_in_person_changes_things_only_with_the_csrf_token():
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_superuser("admin"))
    browser.cookies["csrftoken"] = "a" * 32

    assert code_of(browser.post("/v1/who")) == (403, "csrf_failed")
    sent = browser.post("/v1/who", headers={"x-csrftoken": "a" * 32})
    assert sent.json()["name"] == "user:admin"
    elsewhere = {"x-csrftoken": "a" * 32, "origin": "https://evil.example"}
    assert code_of(browser.post("/v1/who", headers=elsewhere)) == (403, "csrf_failed")


@pytest.mark.usefixtures("token")
@pytest.mark.django_db
def test_a_person_who_may_not_view_is_told_so(client):
    client.force_login(User.objects.create_user("another"))

    assert code_of(client.get("/v1/who")) == (403, "not_allowed")


@pytest.mark.usefixtures("token")
@pytest.mark.django_db
def test_a_person_who_is_not_active_is_nobody(client):
    client.force_login(User.objects.create_superuser("gone", is_active=False))

    assert code_of(client.get("/v1/who")) == (401, "unauthorized")


@pytest.mark.django_db
def test_a_person_without_rights_gets_no_more_in_protected_mode(client):
    client.force_login(User.objects.create_user("another"))

    assert code_of(client.get("/v1/who")) == (403, "not_allowed")


def test_a_token_costs_no_look_up_in_the_database(client, settings):
    settings.COORDINATOR_AUTH_TOKEN = "t"

    # No database is allowed in this test: one query would fail it.
    assert client.get("/v1/who", headers={"x-api-key": "t"}).status_code == 200


def test_a_token_that_cannot_be_known_does_no_harm_on_this_machine(client):
    response = client.get("/v1/who", headers={"authorization": "Bearer from-an-older-server"})

    assert response.json()["kind"] == "local"


@pytest.mark.parametrize(
    "carried",
    [
        {"headers": {"x-api-key": ""}},
        {"headers": {"authorization": "Bearer "}},
        {"query_params": {"token": ""}},
    ],
)
def test_an_empty_token_is_not_the_token_that_is_not_set(client, carried):
    response = client.get("/v1/who", **carried, REMOTE_ADDR="203.0.113.9")

    assert code_of(response) == (403, "protected_mode")


class WaitingWhoView(AsyncAPIView):
    async def get(self, request):
        return Response({"kind": caller_of(request).kind})


served = WaitingWhoView.as_view()


@pytest.mark.usefixtures("token")
async def test_async_views_decide_alike():
    make = AsyncRequestFactory()

    assert (await served(make.get("/v1/who"))).status_code == 401
    known = await served(make.get("/v1/who", headers={"x-api-key": ON_THE_WIRE}))
    assert known.status_code == 200


async def test_async_views_are_in_protected_mode_too():
    assert (await served(AsyncRequestFactory().get("/v1/who"))).status_code == 200
    proxied = AsyncRequestFactory().get("/v1/who", headers={"via": "1.1 proxy"})
    assert (await served(proxied)).status_code == 403


def test_a_caller_cannot_be_forged_by_a_header():
    request = Request(RequestFactory().get("/v1/who", headers={"auth": "x"}))

    with pytest.raises(TypeError):
        caller_of(request)
