"""The ids of the request being served, for all code that runs on its behalf."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")

unique_id: ContextVar[str] = ContextVar("unique_id", default="")
"""The same, and more where the client chose it: no other request has it, whoever wants to."""
