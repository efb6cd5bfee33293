"""API families: the paths that share a form of errors. Each is declared by its room."""

from collections.abc import Callable
from dataclasses import dataclass

Body = dict[str, object]


def nested(code: str, message: str, cause: str = "") -> Body:
    return {"error": {"code": code, "message": message} | ({"cause": cause} if cause else {})}


def flat(code: str, message: str, cause: str = "") -> Body:
    return {"success": False, "error": message}


@dataclass(frozen=True, slots=True)
class Family:
    """The paths that begin with one of the prefixes, and the form of their errors.

    Brief: a seed fixes some of its messages. Pages: people read them, so errors are pages too.
    `name` is the family's tag in the schema.
    """

    name: str
    prefixes: tuple[str, ...]
    error: Callable[[str, str, str], Body] = nested
    brief: bool = False
    pages: bool = False


NONE = Family("", ("",))
"""Of all other paths."""

_by_prefix: dict[str, Family] = {"": NONE}


def register(family: Family) -> None:
    """Make a family known; its room does so once, when it is loaded."""
    known = _by_prefix | dict.fromkeys(family.prefixes, family)
    _by_prefix.clear()
    # The longest prefix that matches decides.
    _by_prefix.update(sorted(known.items(), key=lambda entry: -len(entry[0])))


def is_api(path: str) -> bool:
    """Whether a program is answered there."""
    family = family_of(path)
    return family is not NONE and not family.pages


def family_of(path: str) -> Family:
    return next(family for prefix, family in _by_prefix.items() if path.startswith(prefix))
