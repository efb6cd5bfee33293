"""The W3C trace context that a request comes with."""

import re

from django.http import HttpRequest
from rest_framework.request import Request

HEADER = "traceparent"
TRACEPARENT = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent_of(request: Request | HttpRequest) -> str:
    """What the request belongs to; "" where it says nothing, or nothing that is valid.

    Where the coordinator traces (coordinator_project/traces.py), it is the request's own span.
    """
    given: str = request.headers.get(HEADER, "")
    return given if TRACEPARENT.fullmatch(given) else ""
