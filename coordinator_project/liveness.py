"""`GET /health` and `/livez` from the event loop alone: without thread, database and Django."""

from a2wsgi.asgi_typing import HTTPScope, Send
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils import timezone

from api.renderers import dumps
from coordinator_project.refusals import answer_to, headers_for, id_given
from problems import MethodNotAllowed, errors

METHODS = ("GET", "HEAD")


async def answer_health(scope: HTTPScope, send: Send) -> None:
    """Say that the process answers, or refuse as Django's view does."""
    given = id_given(scope)
    if not _host_is_known(scope):
        status, headers, body = answer_to(errors.unknown_host(), scope["path"], given)
    elif scope["method"] not in METHODS:
        problem = MethodNotAllowed(f"{scope['path']} does not support {scope['method']}; use GET.")
        status, headers, body = answer_to(problem, scope["path"], given)
        headers.append((b"allow", ", ".join(METHODS).encode()))
    else:
        status, body = 200, dumps({"ok": True, "time": timezone.now()})
        headers = headers_for(body, given)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _host_is_known(scope: HTTPScope) -> bool:
    given = next((value for name, value in scope["headers"] if name == b"host"), b"")
    domain, _ = split_domain_port(given.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
