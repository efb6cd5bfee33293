"""The meaning of foreign exceptions to a client: Django's and the database's."""

import logging

from django.core.exceptions import (
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.signals import got_request_exception
from django.db import DatabaseError, InterfaceError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    RawPostDataException,
    UnreadablePostError,
)

from problems import Forbidden, Invalid, NotFound, Problem, TooLarge, database, http

log = logging.getLogger("coordinator.problems")


def meaning_of(exc: Exception) -> Problem | None:
    """The problem that an exception stands for, or None for an unforeseen one."""
    match exc:
        case Problem():
            return exc
        case Http404():
            return NotFound()
        case PermissionDenied():
            return Forbidden()
        case RequestDataTooBig():
            return TooLarge()
        case DisallowedHost():
            return unknown_host()
        case SuspiciousOperation() | UnreadablePostError() | RawPostDataException():
            return Invalid(code="bad_request")
        case DatabaseError() | InterfaceError():
            return database.meaning_of(exc)
        case _:
            return None


def unknown_host() -> Problem:
    message = "The coordinator does not answer to this Host; set COORDINATOR_ALLOWED_HOSTS."
    return Invalid(message, code="unknown_host")


def answer(request: HttpRequest, exc: Exception) -> HttpResponse:
    """The answer to a request that ended in this exception; no internals leak."""
    problem = meaning_of(exc)
    if problem is None:
        return crashed(request, exc)
    return http.respond(request, problem)


def crashed(request: HttpRequest, exc: Exception) -> HttpResponse:
    """Log an unforeseen exception; the client learns only that it happened."""
    log.error("crash", exc_info=exc, extra={"path": request.path, "method": request.method})
    got_request_exception.send(sender=None, request=request)
    return http.error(request.path, 500, "internal", "Something went wrong here.")
