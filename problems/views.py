"""Django's error pages: in the API family's form for its paths, HTML elsewhere."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.views import csrf, defaults

from problems import Forbidden, Invalid, NotFound, Problem, errors, http

HTML = ("/admin", "/static", "/login", "/logout", "/password", "/i18n")

HtmlPage = Callable[[], HttpResponseBase]


class NothingThere(NotFound):
    """There is nothing at this path."""

    brief = "not found"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    problem = errors.meaning_of(exception) or Invalid(code="bad_request")
    return _either(request, problem, lambda: defaults.bad_request(request, exception))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _either(request, Forbidden(), lambda: defaults.permission_denied(request, exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    problem = NothingThere(f"There is nothing at {request.path}.")
    return _either(request, problem, lambda: defaults.page_not_found(request, exception))


def crashed(request: HttpRequest) -> HttpResponseBase:
    """Answer 500; Django has logged the exception by now."""
    if request.path.startswith(HTML):
        return defaults.server_error(request)
    return http.error(request.path, 500, "internal", "Something went wrong here.")


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    problem = Forbidden(reason, code="csrf_failed")
    return _either(request, problem, lambda: csrf.csrf_failure(request, reason))


def _either(request: HttpRequest, problem: Problem, html: HtmlPage) -> HttpResponseBase:
    if request.path.startswith(HTML):
        return html()
    return http.respond(request, problem)
