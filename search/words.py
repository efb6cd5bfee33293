"""What counts as a word: identifiers are taken apart, so that `claim_key` and ClaimKey are found
by their parts.
"""

import re
from collections.abc import Iterator

LONGEST = 40  # characters; what is longer is no word that anybody asks for
MOST = 32  # words of a query

WORD = re.compile(r"[^\W_]+")
# Between a small letter or a digit and a capital one, and before the last capital of several.
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def parts(text: str) -> Iterator[str]:
    """The words of a text in lower case, identifiers by their parts."""
    for found in WORD.finditer(text):
        word = found[0]
        if word.islower() or word.isdigit():
            if len(word) <= LONGEST:
                yield word
            continue
        for part in map(str.lower, HUMP.split(word)):  # some letters are two in lower case
            if len(part) <= LONGEST:
                yield part


def spread(text: str) -> str:
    """The text as PostgreSQL is given it: its words, with blanks between them."""
    return " ".join(parts(text))


def cleaned(text: str) -> str:
    """The text without characters that no text has, and that PostgreSQL could not store."""
    return CONTROL.sub(" ", text).encode("utf-8", "replace").decode()
