"""What the keys of objects and the paths of artifacts look like; one rule for all stores."""

import re
from unicodedata import normalize

from artifacts.exceptions import BadKey, BadPath

LONGEST = 1024  # bytes
SEGMENT = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*")
UNPRINTABLE = re.compile(
    "[\0-\x1f\x7f-\x9f\\\\\u2028-\u202e\u2066-\u2069\ud800-\udfff\N{REPLACEMENT CHARACTER}]"
)
"""Besides, what turns the direction of a text, and what stands for bytes that are no text."""


def checked_key(key: str) -> str:
    """The key itself. Raises BadKey unless it is made of plain names with slashes between them.

    No name begins with a dot, so none is `.` or `..`.
    """
    if len(key) > LONGEST or not all(map(SEGMENT.fullmatch, key.split("/"))):
        raise BadKey(f"{key[:100]!r} is no key of an object")
    return key


def checked_prefix(prefix: str) -> str:
    """The same for the folder whose objects are listed; "" is all."""
    return checked_key(prefix) if prefix else ""


def checked_path(path: str) -> str:
    """The path of an artifact in Unicode's form NFC. Raises BadPath if it may lead elsewhere."""
    path = normalize("NFC", path) if len(path) <= LONGEST else path
    if not path or len(path.encode(errors="replace")) > LONGEST:
        raise BadPath(f"The path must have from 1 to {LONGEST} bytes.")
    if UNPRINTABLE.search(path):
        raise BadPath("The path must not contain a backslash or what cannot be printed.")
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise BadPath("The path must not begin or end with a slash, nor have empty, . or .. names.")
    return path
