"""`trace_id`: what a request supplies is echoed in its answer (contract 003, 1.0)."""

from collections.abc import Iterable

from rest_framework.request import Request

from api.body import JsonDict
from problems import Problem

LONGEST = 200
HEADER = "X-Trace-Id"
NAMES = frozenset({"trace_id", "traceid"})


def supplied(request: Request) -> str:
    """The trace that the body names, else the query or the header; "" where none does."""
    return _named(_body_of(request).items()) or in_head(request)


def _body_of(request: Request) -> JsonDict:
    """The body; {} where it is no object, or none that can be read: no view may have read it."""
    try:
        data: object = request.data
    except Problem:
        return {}
    return data if isinstance(data, dict) else {}


def in_head(request: Request) -> str:
    """The same without the body, which may be none that can be read."""
    return _named([*request.query_params.items(), ("trace_id", request.headers.get(HEADER, ""))])


def _named(members: Iterable[tuple[str, object]]) -> str:
    values = (value for name, value in members if name.lower() in NAMES)
    texts = (value.strip() for value in values if isinstance(value, str))
    return next((text for text in texts if 0 < len(text) <= LONGEST and text.isprintable()), "")
