"""Protected mode: while no credential exists, only this very machine is served."""

import pytest
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView


class OpenView(APIView):
    def get(self, request):
        return Response({})

    post = get


urlpatterns = [path("v1/x", OpenView.as_view())]
handler400 = "problems.views.bad_request"


@pytest.fixture(autouse=True)
def only_this_view(settings):
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    settings.COORDINATOR_AUTH_TOKEN = ""


def ask(client, method="post", address="127.0.0.1", host="localhost:8080", **headers):
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    send = getattr(client, method)
    return send("/v1/x", headers={"host": host} | spelled, REMOTE_ADDR=address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080"])
def test_this_machine_is_served(client, address, host):
    assert ask(client, address=address, host=host).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "203.0.113.9",
        "10.0.0.1",
        "192.168.1.2",
        "0.0.0.0",  # noqa: S104
        "fe80::1",
        "::ffff:10.0.0.1",
        "::",
        "",
        "localhost",
        "127.0.0.1.evil.example",
        "2130706433",
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_other_machines_are_refused(client, address, method):
    response = ask(client, method, address=address)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "protected_mode"
    assert "COORDINATOR_AUTH_TOKEN" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"forwarded": "for=127.0.0.1"},
        {"forwarded": ""},
        {"x_forwarded_for": "127.0.0.1"},
        {"x_forwarded_for": ""},
        {"x_forwarded_proto": "http"},
        {"x_forwarded_host": "localhost"},
        {"x_forwarded_anything": "x"},
        {"x_real_ip": "127.0.0.1"},
        {"via": "1.1 proxy"},
    ],
)
def test_a_request_through_a_proxy_is_not_local(client, headers):
    response = ask(client, **headers)

    assert (response.status_code, response.json()["error"]["code"]) == (403, "protected_mode")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost"}, 403),
        ({"origin": "http://localhost:8080.evil.example"}, 403),
        ({"origin": "http://[oops"}, 403),
        ({"origin": "http://localhost:8080"}, 200),
        ({"origin": "http://localhost:8080", "sec_fetch_site": "cross-site"}, 403),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_other_sites_cannot_use_a_browser_on_this_machine(client, method, headers, status):
    assert ask(client, method, **headers).status_code == status


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost@evil", ""])
def test_an_unknown_host_name_that_points_here_is_refused(client, host):
    response = ask(client, host=host)

    assert response.status_code in {400, 403}
    assert response.json()["error"]["code"] in {"unknown_host", "protected_mode"}


def test_other_machines_do_not_even_see_the_login_page(client):
    response = client.get("/login", REMOTE_ADDR="192.0.2.1", headers={"host": "localhost"})

    assert response.status_code == 403


@pytest.mark.django_db
def test_once_a_token_is_set_people_may_sign_in_from_other_machines(client, settings):
    settings.ROOT_URLCONF = "coordinator_project.urls"
    settings.COORDINATOR_AUTH_TOKEN = "t"

    assert (
        client.get("/login", REMOTE_ADDR="192.0.2.1", headers={"host": "localhost"}).status_code
        == 200
    )
