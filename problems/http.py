"""How the world is told of a problem: a status number, and a body in the form of the API family."""

from collections.abc import Callable

import orjson
from django.http import HttpRequest, HttpResponse

from problems import (
    Conflict,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotFound,
    Problem,
    TooLarge,
    Unauthorized,
    Unavailable,
)

JSON = "application/json; charset=utf-8"

STATUS: dict[type[Problem], int] = {
    Invalid: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    TooLarge: 413,
    Unavailable: 503,
}

HEADERS: dict[type[Problem], tuple[str, str]] = {
    Unauthorized: ("WWW-Authenticate", "Bearer"),
    Unavailable: ("Retry-After", "1"),
}

Body = dict[str, object]


def _nested(code: str, message: str) -> Body:
    return {"error": {"code": code, "message": message}}


# The first prefix that fits decides; paths of no family are told in the form of the last line.
FAMILIES: tuple[tuple[str, Callable[[str, str], Body]], ...] = (
    ("/v1", _nested),
    ("/health", _nested),
    ("", _nested),
)


def status_of(problem: Problem) -> int:
    """The status number of this problem, or of the nearest kind it descends from."""
    return next((STATUS[kind] for kind in type(problem).__mro__ if kind in STATUS), 400)


def body_for(path: str, code: str, message: str) -> Body:
    """The body that clients of this path's API family expect of an error."""
    shape = next(shape for prefix, shape in FAMILIES if path.startswith(prefix))
    return shape(code, message)


def encode(path: str, code: str, message: str) -> bytes:
    """The same body as bytes, for places that answer without Django."""
    return orjson.dumps(body_for(path, code, message), option=orjson.OPT_APPEND_NEWLINE)


def error(path: str, status: int, code: str, message: str) -> HttpResponse:
    return HttpResponse(encode(path, code, message), status=status, content_type=JSON)


def respond(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The answer to a request that ended in this problem."""
    response = error(request.path, status_of(problem), problem.code, problem.message)
    for kind, (header, value) in HEADERS.items():
        if isinstance(problem, kind):
            response[header] = value
    return response
