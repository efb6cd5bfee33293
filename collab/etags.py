"""ETags of what functions show: of the answer without its time, and of what its caller may see."""

import hashlib

from django.utils.cache import patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import Caller, caller_of
from api.renderers import dumps
from artifacts.ranges import names

OF_THE_MOMENT = frozenset({"ts", "trace_id"})
"""What differs though nothing has changed."""
CREDENTIALS = ("Authorization", "apikey", "X-Api-Key", "Cookie")


def tag(request: Request, response: Response, *, fresh_for: int) -> None:
    """Give an answer its ETag. Where the caller has a copy of that, the answer becomes a 304."""
    etag = etag_of(response.data, caller_of(request))
    response["ETag"] = etag
    lasting = f"max-age={fresh_for}" if fresh_for else "no-cache"
    response["Cache-Control"] = f"private, {lasting}"
    patch_vary_headers(response, CREDENTIALS)
    if names(request.headers.get("If-None-Match", ""), etag.removeprefix("W/")):
        response.status_code, response.data = 304, None


def etag_of(data: dict[str, object], caller: Caller) -> str:
    """A weak one: two answers with it say the same, though not at the same time."""
    lasting = {name: value for name, value in data.items() if name not in OF_THE_MOMENT}
    sees = "all" if caller.sees_all else str(caller.user_id)
    digest = hashlib.sha256(sees.encode() + b"\n" + dumps(lasting))
    return f'W/"{digest.hexdigest()}"'
