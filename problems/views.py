"""Django's error pages: in the API family's form for its paths, pages for people elsewhere.

The pages are templates by Django's names: `404.html` and the like.
"""

import sys
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template import loader
from django.views import csrf, defaults

from problems import Forbidden, Invalid, NotFound, Problem, database, errors, http
from problems.families import NONE, family_of

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
    """Answer 500, or what a failure of the database means; Django calls this for any exception."""
    failure = sys.exc_info()[1]
    if isinstance(failure, (DatabaseError, InterfaceError)):
        problem = database.meaning_of(failure)
        if problem is not None:
            response = _either(request, problem, lambda: _page(problem))
            # Django would log the traceback of a failure that has its line in the log already.
            response._has_been_logged = True  # type: ignore[attr-defined]
            return response
    if for_people(request):
        return defaults.server_error(request)
    return http.error(request.path, 500, "internal", "Something went wrong here.")


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    problem = Forbidden(reason, code="csrf_failed")
    return _either(request, problem, lambda: csrf.csrf_failure(request, reason))


def _either(request: HttpRequest, problem: Problem, html: HtmlPage) -> HttpResponseBase:
    if for_people(request):
        return html()
    return http.respond(request, problem)


def for_people(request: HttpRequest) -> bool:
    """Whether a person reads the answer: at a path of pages, or of nothing, in a browser."""
    family = family_of(request.path)
    in_browser = "text/html" in request.META.get("HTTP_ACCEPT", "")
    return family.pages or (family is NONE and in_browser)


def _page(problem: Problem) -> HttpResponse:
    """The problem for people, without anything that the database would be asked for."""
    status = http.status_of(problem)
    page = loader.render_to_string("problem.html", {"status": status, "says": problem.message})
    return HttpResponse(page, status=status, headers=http.headers_of(problem))
