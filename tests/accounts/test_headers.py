"""What browsers are told about pages, and scripts of other sites about answers."""

import httpx
import pytest
from corsheaders.middleware import CorsMiddleware
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from unfold.settings import CONFIG_DEFAULTS

from accounts.headers import CSP, SECURE_CSP, UNFOLD_CSP, header_of, send_policies
from coordinator_project import env
from coordinator_project.env import BASE_DIR
from tests.console.people import browser_of
from tests.serving import NO_TLS, serving

pytestmark = pytest.mark.django_db

STRICT = header_of(SECURE_CSP)
WITH_EVAL = header_of(UNFOLD_CSP)


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/", STRICT),
        ("/login", WITH_EVAL),
        ("/password", WITH_EVAL),
        ("/admin/", WITH_EVAL),
        ("/admin/tasks/task/", WITH_EVAL),
        ("/admin/accounts/user/add/", WITH_EVAL),
        ("/admin/nothing/here/", STRICT),
    ],
)
def test_every_page_has_its_policies(path, policy):
    page = browser_of("Admin").get(path)

    assert page.headers[CSP] == policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in page.headers["Permissions-Policy"]


def test_no_policy_allows_anything_inline():
    for policy in (STRICT, WITH_EVAL):
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
    assert "unsafe-eval" not in STRICT


def test_answers_of_the_api_have_no_policy_of_pages_but_are_not_guessed_at(client):
    answer = client.get("/v1/channels")

    assert CSP not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_view_may_say_its_own_policy():
    own = send_policies(lambda request: HttpResponse(headers={CSP: "default-src 'self'"}))

    assert own(RequestFactory().get("/")).headers[CSP] == "default-src 'self'"


async def test_pages_of_async_views_have_policies_too():
    async def page(request):
        return HttpResponse()

    answer = await send_policies(page)(AsyncRequestFactory().get("/"))

    assert answer.headers[CSP] == STRICT


def test_djangos_pages_of_debug_mode_keep_their_styles(settings):
    settings.DEBUG = True
    crashed = send_policies(lambda request: HttpResponse(status=500))

    assert CSP not in crashed(RequestFactory().get("/")).headers
    settings.DEBUG = False
    assert CSP in crashed(RequestFactory().get("/")).headers


def test_the_stylesheet_has_the_colours_that_unfold_would_write_into_each_page():
    sheet = (BASE_DIR / "console/static/console/theme.css").read_text()

    for name, weights in CONFIG_DEFAULTS["COLORS"].items():
        for weight in weights:
            assert f"  --color-{name}-{weight}: var(--" in sheet
    assert "<style" not in browser_of("Admin").get("/admin/").content.decode()


def preflight(middleware, origin):
    asked = {"origin": origin, "access-control-request-method": "POST"}
    return middleware(RequestFactory().options("/v1/tasks/claim", headers=asked))


def test_by_default_no_other_site_may_read_answers(client):
    answer = client.get("/v1/channels", headers={"origin": "https://elsewhere.example"})

    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_site_that_is_named_may_read_answers_without_its_cookies(settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://board.example"]
    middleware = CorsMiddleware(lambda request: HttpResponse())

    allowed = preflight(middleware, "https://board.example").headers
    denied = preflight(middleware, "https://elsewhere.example").headers

    assert allowed["Access-Control-Allow-Origin"] == "https://board.example"
    assert "authorization" in allowed["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in allowed
    assert "Access-Control-Allow-Origin" not in denied


@pytest.mark.django_db(transaction=True)
def test_a_server_answers_the_sites_that_its_setting_names():
    asked = {"Origin": "https://board.example", "Access-Control-Request-Method": "POST"}
    with serving(COORDINATOR_CORS_ORIGINS="https://board.example") as server:
        allowed = httpx.options(f"{server.url}/v1/tasks/claim", headers=asked, verify=NO_TLS)
        elsewhere = asked | {"Origin": "https://elsewhere.example"}
        denied = httpx.options(f"{server.url}/v1/tasks/claim", headers=elsewhere, verify=NO_TLS)
        early = httpx.get(f"{server.url}/health", verify=NO_TLS)
        style = httpx.get(f"{server.url}/static/console/theme.css", verify=NO_TLS)

    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://board.example"
    assert "Access-Control-Allow-Origin" not in denied.headers
    assert {early.headers["X-Content-Type-Options"], style.headers["X-Content-Type-Options"]} == {
        "nosniff"
    }


@pytest.mark.parametrize(
    "value", ["*", "board.example", "https://board.example/", "ftp://x", "https://a b c/"]
)
def test_what_is_no_origin_is_refused_at_the_start(monkeypatch, value):
    monkeypatch.setenv("COORDINATOR_CORS_ORIGINS", value)

    with pytest.raises(ImproperlyConfigured, match="COORDINATOR_CORS_ORIGINS"):
        env.origins("COORDINATOR_CORS_ORIGINS")


def test_origins_are_separated_by_commas_or_spaces(monkeypatch):
    monkeypatch.setenv("COORDINATOR_CORS_ORIGINS", "https://a.example, http://[::1]:8081")

    assert env.origins("COORDINATOR_CORS_ORIGINS") == ["https://a.example", "http://[::1]:8081"]
