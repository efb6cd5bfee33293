"""Takes secrets out of texts: values, their lines, and the forms in which these are sent."""

import base64
import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

MASK = "[REDACTED]"
SHORTEST = 3
"""What is shorter would mask half of any text."""

Masker = Callable[[str], str]


def masker(secrets: Iterable[str]) -> Masker:
    """A function that replaces these secrets in a text, the longest first."""
    forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
    if not forms:
        return str
    longest_first = sorted(forms, key=lambda form: (-len(form), form))

    def mask(text: str) -> str:
        # An expression of all forms takes seconds where there are thousands of them.
        found = [form for form in longest_first if form in text]
        return re.sub("|".join(map(re.escape, found)), MASK, text) if found else text

    return mask


def inside(value: object, mask: Masker) -> object:
    """A JSON value with all its texts masked, names of members too."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [inside(one, mask) for one in value]
    if isinstance(value, dict):
        return {mask(name): inside(one, mask) for name, one in value.items()}
    return value


def _forms(secret: str) -> Iterable[str]:
    for text in {secret, *(line.strip() for line in secret.splitlines())}:
        raw = text.encode(errors="surrogatepass")
        yield text
        yield quote(text, safe="", errors="surrogatepass")
        yield quote_plus(text, errors="surrogatepass")
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        for encoded in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
            yield encoded.decode()
            yield encoded.decode().rstrip("=")
