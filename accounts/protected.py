"""Protected mode: until a credential has been issued, only this machine is served."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from accounts import credentials
from accounts.rights import may_enter
from problems import Forbidden, http
from problems.families import is_api

OPEN_UP = (
    "set COORDINATOR_AUTH_TOKEN and start again, or make a token with `manage.py create_token`,"
    " then send it as 'Authorization: Bearer <token>' or 'X-Api-Key: <token>'."
)
FORWARDED = ("HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
SAME_SITE = frozenset({"", "same-origin", "none"})


class Protected(Forbidden):
    """The coordinator is in protected mode and this request is not from this machine."""

    code = "protected_mode"


def check(request: HttpRequest) -> None:
    """Refuse a request without a credential unless it comes directly from this machine.

    A request through a proxy is refused even if the proxy runs on this machine: otherwise it would
    open the coordinator to the world. So is a request that a page of another site made a browser
    send, even under a host name that its owner points at this machine.
    """
    if any(header in request.META for header in FORWARDED) or any(
        header.startswith("HTTP_X_FORWARDED_") for header in request.META
    ):
        raise Protected(_because("requests that came through a proxy are refused"))
    if not _is_loopback(request.META.get("REMOTE_ADDR", "")):
        raise Protected(_because("only this machine is served"))
    try:
        host = request.get_host()
    except DisallowedHost:
        raise Protected(_because("requests for an unknown Host are refused")) from None
    if request.META.get("HTTP_SEC_FETCH_SITE", "") not in SAME_SITE:
        raise Protected(_because("requests from other sites are refused"))
    origin = request.META.get("HTTP_ORIGIN", "")
    if origin and origin not in (f"http://{host}", f"https://{host}"):
        raise Protected(_because("requests from other sites are refused"))


class ProtectedModeMiddleware(MiddlewareMixin):
    """In protected mode, pages too are for this machine, and for people who have signed in.

    Views of the API see to it by their authentication.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        # Paths of health come first: they must not need the database.
        if is_api(request.path) or credentials.issued() or _has_signed_in(request):
            return None
        try:
            check(request)
        except Protected as problem:
            return http.respond(request, problem)
        return None


def _has_signed_in(request: HttpRequest) -> bool:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False
    return bool(request.user.is_active and may_enter(request.user))


def _because(why: str) -> str:
    return f"Protected mode: no token is set, so {why}. To open up, {OPEN_UP}"


@lru_cache(maxsize=256)
def _is_loopback(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback
