"""Secrets are replaced in all that leaves the runner, in the forms in which they are printed."""

import base64
import json
import math
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "[REDACTED]"
SHORTEST = 3
SHORTEST_INNER = 8  # of base64 whose beginning belongs to something else


class Masker:
    """Replaces values of at least three characters, the longest first."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.forms: list[str] = []
        self.longest = 0
        self._pattern: re.Pattern[str] | None = None
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """From now on these are replaced, too."""
        found = {form for value in values for form in forms(value)}
        self.forms = sorted(found.union(self.forms), key=len, reverse=True)
        self.longest = len(self.forms[0]) if self.forms else 0
        # Looking ahead finds values that overlap.
        either = "|".join(map(re.escape, self.forms))
        self._pattern = re.compile(f"(?=({either}))") if self.forms else None

    def mask(self, text: str) -> str:
        if not any(form in text for form in self.forms):
            return text
        parts, end = [], 0
        for start, stop in self.spans(text):
            parts += [text[end:start], MASK]
            end = stop
        return "".join([*parts, text[end:]])

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where there are secrets; those that overlap are one."""
        begun = ended = -1
        for match in self._pattern.finditer(text) if self._pattern else ():
            start, stop = match.span(1)
            if start >= ended:
                if ended >= 0:
                    yield begun, ended
                begun = start
            ended = max(ended, stop)
        if ended >= 0:
            yield begun, ended

    def cut(self, text: str, at: int) -> int:
        """Where to cut near `at`, not inside a secret that is wholly there."""
        return next((end for start, end in self.spans(text) if start < at < end), at)

    def unfinished(self, text: str) -> int:
        """Where a secret may have begun that the text does not have whole; else its length."""
        for start in range(max(0, len(text) - self.longest + 1), len(text)):
            rest = text[start:]
            if any(len(form) > len(rest) and form.startswith(rest) for form in self.forms):
                return start
        return len(text)


def forms(value: str) -> Iterator[str]:
    """How a value may be printed: as it is, line by line, or encoded."""
    lines = {line.strip() for line in value.splitlines()} if "\n" in value else {value}
    for plain in lines | {value.strip()}:
        if len(plain) < SHORTEST:
            continue
        if "\n" not in plain:
            yield plain
        yield from encoded(plain)
    if len(value) >= SHORTEST:
        yield from encoded(value)


def encoded(value: str) -> Iterator[str]:
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield from {quote(value, safe=""), quote(value), quote_plus(value)}
    for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
        data = value.encode(errors="replace")
        yield alphabet(data).decode()
        yield alphabet(data).decode()[: len(data) * 8 // 6]
        for before in (1, 2):
            text = alphabet(bytes(before) + data).decode()
            inner = text[math.ceil(before * 8 / 6) : (before + len(data)) * 8 // 6]
            if len(inner) >= SHORTEST_INNER:
                yield inner
