"""API families: the paths that share a form of errors. Each is declared by its room."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from django.http import HttpRequest

Body = dict[str, object]
BAD_REQUESTS = frozenset({"bad_json", "invalid_request"})


def nested(code: str, message: str, cause: str = "") -> Body:
    return {"error": {"code": code, "message": message} | ({"cause": cause} if cause else {})}


def nested_bad_request(code: str, message: str, cause: str = "") -> Body:
    """The same where what is no JSON, or not the right one, is a `bad_request` too."""
    return nested("bad_request" if code in BAD_REQUESTS else code, message, cause)


def flat(code: str, message: str, cause: str = "") -> Body:
    return {"success": False, "error": message}


def flat_or_worded(code: str, message: str, cause: str = "") -> Body:
    """Of jobs: flat, unless a view says that the request is about a command (`answer_as`)."""
    return flat(code, message, cause)


WORDS = {
    "bad_json": "invalid_input",
    "bad_request": "invalid_input",
    "invalid_request": "invalid_input",
    "unknown_host": "invalid_input",
    "csrf_failed": "forbidden",
    "not_allowed": "forbidden",
    "protected_mode": "forbidden",
    "internal": "internal_error",
    "unavailable": "service_unavailable",
}
"""What seed 001 calls problems for which others have words of their own."""


def worded(code: str, message: str, cause: str = "") -> Body:
    """The form of seed 001: `error` is a word for programs."""
    return {"error": WORDS.get(code, code), "message": message}


COLLAB_WORDS = {
    "bad_json": "validation_error",
    "bad_request": "validation_error",
    "invalid_request": "validation_error",
    "unknown_host": "validation_error",
    "unauthorized": "unauthenticated",
    "csrf_failed": "forbidden",
    "not_allowed": "forbidden",
    "protected_mode": "forbidden",
    "conflict": "invalid_transition",
    "too_many_requests": "rate_limited",
    "internal": "internal_error",
    "unavailable": "dependency_unavailable",
}
"""What seed 003 calls problems for which others have words of their own."""


def explained(code: str, message: str, cause: str = "") -> Body:
    """The form of seed 003: a sentence, a word, and where there are some, details and a hint."""
    code = COLLAB_WORDS.get(code, code)
    return {"error": message, "details": None, "code": code, "hint": cause or None}


@dataclass(frozen=True, slots=True)
class Family:
    """The paths that begin with one of the prefixes, and the form of their errors.

    Brief: a seed fixes some of its messages. Pages: people read them, so errors are pages too.
    Detailed: an error has `details` too, where fields of the request are wrong. `name` is the
    family's tag in the schema.
    """

    name: str
    prefixes: tuple[str, ...]
    error: Callable[[str, str, str], Body] = nested
    brief: bool = False
    pages: bool = False
    detailed: bool = False


NONE = Family("", ("",))
"""Of all other paths."""

_by_prefix: dict[str, Family] = {"": NONE}


def register(family: Family) -> None:
    """Make a family known; its room does so once, when it is loaded."""
    known = _by_prefix | dict.fromkeys(family.prefixes, family)
    _by_prefix.clear()
    # The longest prefix that matches decides.
    _by_prefix.update(sorted(known.items(), key=lambda entry: -len(entry[0])))
    family_of.cache_clear()


def answer_as(request: HttpRequest, family: Family) -> None:
    """Give the errors of a request in the form of this family, whatever its path."""
    request.api_family = family  # type: ignore[attr-defined]


def family_for(request: HttpRequest) -> Family:
    """The family that the request was said to be of, else that of its path."""
    found: Family | None = getattr(request, "api_family", None)
    return found or family_of(request.path)


def is_api(path: str) -> bool:
    """Whether a program is answered there."""
    family = family_of(path)
    return family is not NONE and not family.pages


@lru_cache(1_000)  # asked several times for each request, most of which have the same paths
def family_of(path: str) -> Family:
    return next(family for prefix, family in _by_prefix.items() if path.startswith(prefix))
