"""REST framework's exception handler."""

from django.http import HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request

from problems import (
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotFound,
    Problem,
    TooMany,
    Unauthorized,
    errors,
)

MEANING: dict[type[exceptions.APIException], type[Problem]] = {
    exceptions.NotAuthenticated: Unauthorized,
    exceptions.AuthenticationFailed: Unauthorized,
    exceptions.PermissionDenied: Forbidden,
    exceptions.NotFound: NotFound,
    exceptions.MethodNotAllowed: MethodNotAllowed,
}


def exception_handler(exc: Exception, context: dict[str, object]) -> HttpResponse:
    """The answer to a request whose view raised `exc`, in the form of its API family.

    Nothing is rolled back here: each verb is a transaction of its own.
    """
    request = context["request"]
    if isinstance(request, Request):
        request = request._request
    if not isinstance(request, HttpRequest):
        raise exc
    problem = _meaning_of(exc) if isinstance(exc, exceptions.APIException) else exc
    return errors.answer(request, problem)


def _meaning_of(exc: exceptions.APIException) -> Problem:
    if isinstance(exc, exceptions.Throttled):
        return TooMany(str(exc), retry_after=int(getattr(exc, "wait", None) or 1))
    kind = next((MEANING[base] for base in type(exc).__mro__ if base in MEANING), Invalid)
    return kind(str(exc))
