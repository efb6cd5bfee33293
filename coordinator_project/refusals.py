"""Answers that are given before Django sees the request."""

from a2wsgi.asgi_typing import HTTPScope, Send

from coordinator_project.requests import HEADER, id_for
from problems import Problem, http

Headers = list[tuple[bytes, bytes]]


def headers_for(body: bytes, given_id: str = "") -> Headers:
    """The headers of a JSON answer, with the client's request id or a new one."""
    return [
        (b"content-type", http.JSON.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (HEADER.lower().encode(), id_for(given_id).encode()),
    ]


def answer_to(problem: Problem, path: str, given_id: str = "") -> tuple[int, Headers, bytes]:
    """Status, headers and body of a refused request to this path, as its API family has them."""
    body = http.encode(path, problem.code, problem.message)
    more = http.headers_of(problem).items()
    headers = headers_for(body, given_id)
    headers += [(name.lower().encode(), value.encode()) for name, value in more]
    return http.status_of(problem), headers, body


def id_given(scope: HTTPScope) -> str:
    """The request id that the client has sent."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode("latin-1")


async def send_refusal(problem: Problem, scope: HTTPScope, send: Send) -> None:
    """Answer the request with this problem."""
    status, headers, body = answer_to(problem, scope["path"], id_given(scope))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
