"""Structured logs: JSON lines for machines, coloured ones on a terminal."""

import re
import sys

import structlog
from django.http import HttpRequest
from structlog.typing import EventDict, Processor, WrappedLogger

from events.context import request_id

TOKEN = re.compile(r"([?&](?:token|apikey|sig)=)[^&\s\"']*")


def configuration(level: str) -> dict[str, object]:
    """Django's LOGGING for `level`; every line of a request has its id."""
    terminal = sys.stderr.isatty()
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_query,
        _without_tokens,
        _of_clients,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_request_id,
    ]
    ends: list[Processor] = (
        # Its usual tracebacks show the values of variables, which may be secrets.
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared[:2],
            *shared[6:],
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ends],
            },
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "structured"},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Its lines on 4xx would repeat the request's own line; those on 5xx give the reason.
            "django": {"level": level, "handlers": [], "propagate": True},
            "django.request": {"level": "ERROR"},
            "django.server": {"level": level, "handlers": [], "propagate": True},
            "uvicorn": {"level": "WARNING"},
            "asyncio": {"level": "WARNING"},
            "axes": {"level": "WARNING"},
        },
    }


def _without_query(logger: WrappedLogger, name: str, entry: EventDict) -> EventDict:
    """Replace Django's request object by its path, since the query may contain a token."""
    request = entry.pop("request", None)
    if isinstance(request, HttpRequest):
        entry["path"] = request.path
    return entry


def _without_tokens(logger: WrappedLogger, name: str, entry: EventDict) -> EventDict:
    """Remove a token or a signature from an address; servers of others log whole addresses."""
    entry["event"] = TOKEN.sub(r"\1…", str(entry.get("event", "")))
    return entry


def _of_clients(logger: WrappedLogger, name: str, entry: EventDict) -> EventDict:
    """Make Django's errors about what clients should not do warnings, as all others are.

    Their tracebacks show only Django's own code.
    """
    if str(entry.get("logger", "")).startswith("django.security"):
        entry.pop("exc_info", None)
        entry["level"] = "warning"
    return entry


def _with_request_id(logger: WrappedLogger, name: str, entry: EventDict) -> EventDict:
    current = request_id.get()
    if current:
        entry["request_id"] = current
    return entry
