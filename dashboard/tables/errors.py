"""Errors that differ only in ids, numbers and paths are alike."""

import re
from functools import lru_cache
from hashlib import blake2b

from django.db.models import BooleanField, Case, CharField, ExpressionWrapper, Q, When
from django.db.models.functions import Left, Right

LONGEST = 300
"""Characters of an error that are read, and compared."""
WIDTH = 200

PARTS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s\"'<>)\]]+", re.IGNORECASE), "<url>"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"(?<![\w.])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][\w.@+-]+){2,}[/\\]?"), "<path>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<n>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "<n>"),
]
TRACED = r"^(Traceback|exit code [0-9]+: )"
"""How errors begin that end in what matters: tracebacks, and what the commands of agents wrote."""


@lru_cache(maxsize=16_384)
def pattern(error: str) -> str:
    """What an error has in common with those that are like it, in one line.

    Kept for as many as a table looks at, which looks at the same ones again.
    """
    text = " ".join(line_of(error, bool(re.match(TRACED, error))).split())
    for part, mark in PARTS:
        text = part.sub(mark, text)
    return " ".join(text.split())[:WIDTH]


# Of an error that ends in what matters the end is read.
_ENDS_IN_IT = Q(fail_reason__regex=TRACED)
ERROR = Case(
    When(_ENDS_IN_IT, then=Right("fail_reason", LONGEST)),
    default=Left("fail_reason", LONGEST),
    output_field=CharField(),
)
ENDS_IN_IT = ExpressionWrapper(_ENDS_IN_IT, output_field=BooleanField())


def line_of(error: str, ends_in_it: bool) -> str:
    """The error as a list shows it: of one that ends in what matters the last line."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return lines[-1] if ends_in_it and lines else error


def group_of(cause: str, alike: str) -> str:
    """The name of a group of dead letters in an address."""
    return f"{cause}-{blake2b(alike.encode(), digest_size=6).hexdigest()}"
