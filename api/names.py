"""Names, ids and keys as they are compared and stored."""

import re
from unicodedata import normalize

from django.urls import register_converter
from django.urls.converters import StringConverter

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


ENCODED = re.compile("%(2F|25)", re.IGNORECASE)


class NameConverter(StringConverter):
    """A name as one segment of a path, percent-encoded.

    Of what was encoded, the server leaves slashes and percent signs as they came (`asgi.path_of`):
    decoded too early, a slash would end the segment.
    """

    def to_python(self, value: str) -> str:
        return spelled(ENCODED.sub(lambda code: "/" if code[1] != "25" else "%", value))


register_converter(NameConverter, "name")
