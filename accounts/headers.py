"""What browsers may do with the pages: their policies, sent with every page.

Django sends `nosniff`, the policies for frames and referrers, and the one for openers. It has no
Content-Security-Policy before 6.0, whose names are used here.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import TypeVar

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

R = TypeVar("R", bound=HttpResponseBase)
Policy = Mapping[str, Sequence[str]]
Sync = Callable[[HttpRequest], HttpResponseBase]
Async = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

CSP = "Content-Security-Policy"
SELF = "'self'"
SECURE_CSP: Policy = {
    "default-src": ["'none'"],
    "base-uri": ["'none'"],
    "connect-src": [SELF],
    "font-src": [SELF],
    "form-action": [SELF],
    "frame-ancestors": ["'none'"],
    "img-src": [SELF],
    "script-src": [SELF],
    "style-src": [SELF],
}
"""Of every page: its own files alone, nothing inline."""
UNFOLD_CSP: Policy = {**SECURE_CSP, "script-src": [SELF, "'unsafe-eval'"]}
"""Of pages made by Unfold: Alpine, which it brings, compiles the expressions in its attributes."""
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "publickey-credentials-get",
        "serial",
        "usb",
    )
)
DEBUG_PAGES = frozenset({404, 500})
"""Django's own, in debug mode, with styles and scripts inline."""


def header_of(policy: Policy) -> str:
    return "; ".join(" ".join((directive, *values)) for directive, values in policy.items())


_usual = header_of(SECURE_CSP)


@sync_and_async_middleware
def send_policies(get_response: Sync | Async) -> Sync | Async:
    """Send the policies with every page, unless its view has set its own."""
    if iscoroutinefunction(get_response):
        return _async(get_response)
    return _sync(get_response)  # type: ignore[arg-type]  # iscoroutinefunction does not narrow the other branch


def _async(get_response: Async) -> Async:
    async def answer(request: HttpRequest) -> HttpResponseBase:
        return _with_policies(await get_response(request))

    return answer


def _sync(get_response: Sync) -> Sync:
    def answer(request: HttpRequest) -> HttpResponseBase:
        return _with_policies(get_response(request))

    return answer


def _with_policies(response: HttpResponseBase) -> HttpResponseBase:
    headers = response.headers
    if headers.get("Content-Type", "").startswith("text/html"):
        if not (settings.DEBUG and response.status_code in DEBUG_PAGES):
            headers.setdefault(CSP, _usual)
        headers.setdefault("Permissions-Policy", PERMISSIONS)
    return response


def with_policy(policy: Policy) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """The decorator of a view whose pages have another Content-Security-Policy."""
    header = header_of(policy)

    def decorated(view: Callable[..., R]) -> Callable[..., R]:
        @wraps(view)
        def page(request: HttpRequest, *args: object, **kwargs: object) -> R:
            response = view(request, *args, **kwargs)
            response.headers.setdefault(CSP, header)
            return response

        return page

    return decorated
