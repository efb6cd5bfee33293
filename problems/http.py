"""A problem as an answer: a status number, and a body in the form of the API family."""

import orjson
from django.http import HttpRequest, HttpResponse

from problems import (
    Conflict,
    Forbidden,
    Gone,
    HeadTooLarge,
    Invalid,
    MethodNotAllowed,
    NotFound,
    Problem,
    TooLarge,
    TooMany,
    TooSlow,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from problems.families import Body, family_for, family_of

JSON = "application/json; charset=utf-8"

STATUS: dict[type[Problem], int] = {
    Invalid: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    TooSlow: 408,
    Conflict: 409,
    Gone: 410,
    TooLarge: 413,
    Unprocessable: 422,
    TooMany: 429,
    HeadTooLarge: 431,
    Unavailable: 503,
}


def status_of(problem: Problem) -> int:
    """The status number of this problem's class, or of its nearest base class."""
    return next((STATUS[kind] for kind in type(problem).__mro__ if kind in STATUS), 400)


def body_for(path: str, code: str, message: str, cause: str = "") -> Body:
    """An error's body in the form of this path's API family."""
    return family_of(path).error(code, message, cause)


def encode(path: str, code: str, message: str, cause: str = "") -> bytes:
    """The same body as bytes, for answers without Django."""
    return orjson.dumps(body_for(path, code, message, cause), option=orjson.OPT_APPEND_NEWLINE)


def error(path: str, status: int, code: str, message: str, cause: str = "") -> HttpResponse:
    return HttpResponse(encode(path, code, message, cause), status=status, content_type=JSON)


def message_in(body: bytes) -> str:
    """The message of an encoded error; "" where there is none."""
    try:
        found = orjson.loads(body)["error"]
        return str(found["message"] if isinstance(found, dict) else found)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


def respond(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The answer to a request that ended in this problem."""
    family = family_for(request)
    message = (problem.brief if family.brief else "") or problem.message
    cause = problem.cause if isinstance(problem, Unavailable) else ""
    body = family.error(problem.code, message, cause)
    if family.detailed and problem.details:
        body["details"] = problem.details
    encoded = orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
    response = HttpResponse(encoded, status=status_of(problem), content_type=JSON)
    for header, value in headers_of(problem).items():
        response[header] = value
    return response


def headers_of(problem: Problem) -> dict[str, str]:
    """What a client should know of this problem before it reads the body."""
    match problem:
        case Unauthorized():
            return {"WWW-Authenticate": "Bearer"}
        case Unavailable():
            return {"Retry-After": str(problem.retry_after)}
        case TooMany(limit=0):
            return {"Retry-After": str(problem.retry_after)}
        case TooMany():
            # As in draft-ietf-httpapi-ratelimit-headers-06, the last with a field for each.
            return {
                "Retry-After": str(problem.retry_after),
                "RateLimit-Limit": str(problem.limit),
                "RateLimit-Remaining": "0",
                "RateLimit-Reset": str(problem.reset),
            }
        case _:
            return {}
