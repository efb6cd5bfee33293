"""Names, ids and keys as they are compared and stored."""

from unicodedata import normalize

from django.urls import register_converter
from django.urls.converters import PathConverter

LONGEST = 4_000
"""No name is longer in any form; a longer text would only cost time."""


def spelled(text: str) -> str:
    """The name in Unicode's form NFC, without white space around it.

    A letter like é or 빌 is one character or several, as the system that typed it has it; people
    see no difference, so names have none.
    """
    if text.isascii() or len(text) > LONGEST:
        return text.strip()
    return normalize("NFC", text).strip()


class NameConverter(PathConverter):
    """A name as a part of a path; it may contain slashes."""

    def to_python(self, value: str) -> str:
        return spelled(value)


register_converter(NameConverter, "name")
