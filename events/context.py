"""The id of the request being served, for all code that runs on its behalf."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
