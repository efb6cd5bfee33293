"""Secrets are taken out of texts, in all forms in which they are usually sent."""

import base64
from urllib.parse import quote

import pytest

from tasks.masking import masker


@pytest.mark.parametrize(
    ("secrets", "text", "masked"),
    [
        (["abc"], "xabcx", "x[REDACTED]x"),
        (["abc", "abcdef"], "abcdef abc", "[REDACTED] [REDACTED]"),
        (["ab"], "ab", "ab"),
        ([], "ab", "ab"),
        (["a.c"], "abc a.c", "abc [REDACTED]"),
        (["first\nsecond"], "first then second", "[REDACTED] then [REDACTED]"),
        (["a/b c"], f"x={quote('a/b c', safe='')}", "x=[REDACTED]"),
        (["a/b c"], "x=a%2Fb+c", "x=[REDACTED]"),
        (['a"b'], '{"x": "a\\"b"}', '{"x": "[REDACTED]"}'),
        (["päss"], base64.b64encode("päss".encode()).decode(), "[REDACTED]"),
        (["a\nRED\nb", "RED"], "RED a", "[REDACTED] a"),
        ([f"secret {n}" for n in range(5_000)], "secret 4999, secret 1", "[REDACTED], [REDACTED]"),
        (["k" * 50], "k" * 50 + "k", "[REDACTED]k"),
    ],
)
def test_secrets_are_masked(secrets, text, masked):
    assert masker(secrets)(text) == masked
