"""The parser refuses values that cannot be stored."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import body
from api.body import BadJson
from problems import Problem


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"{}", {}),
        (b" null ", None),
        (b"[]", []),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a": "\\\\u0000"}', {"a": "\\u0000"}),
        (b'{"a": "\\\\ud800"}', {"a": "\\ud800"}),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
        (b"[" + b"{}," * 500 + b"{}]", [{}] * 501),
    ],
)
def test_json_is_read_as_it_is(raw, value):
    assert body.parse(raw) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"nul",
        b"{} {}",
        b"{},",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": "\x00"}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\xff"}',
        b"[" * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"\\ud800":' * 10_000 + b"1" + b"}" * 10_000,
    ],
)
def test_invalid_json_is_bad_json(raw):
    with pytest.raises(BadJson) as caught:
        body.parse(raw)

    assert caught.value.code == "bad_json"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"name": "a\\u0000b"}', "name"),
        (b'{"payload": {"x": [1, {"y": "\\u0000"}]}}', "payload.x[1].y"),
        (b'{"payload": {"a\\u0000b": 1}}', "payload.a\N{REPLACEMENT CHARACTER}b"),
        (b'{"name": "\\ud800"}', "name"),
        (b'{"name": "\\udc00\\ud800"}', "name"),
        (b'{"payload": {"x": "\\uDFFF tail"}}', "payload.x"),
        (b'{"payload": {"\\ud800": 1}}', "payload.\N{REPLACEMENT CHARACTER}"),
        (b'[{"title": "\\u0000"}]', "[0].title"),
    ],
)
def test_an_unstorable_value_is_refused_by_name(raw, field):
    with pytest.raises(Problem) as caught:
        body.parse(raw)

    assert caught.value.code == "invalid_request"
    assert caught.value.message.startswith(f"{field} must not contain NUL")
    caught.value.message.encode()


@pytest.mark.parametrize("depth", [65, 66, 500, 1000])
def test_a_value_that_is_nested_too_deep_is_refused_by_name(depth):
    raw = b'{"payload": ' + b"[" * depth + b"]" * depth + b"}"

    with pytest.raises(BadJson, match=r"^payload\[0\].*nested more than 64"):
        body.parse(raw)


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_a_problem(raw):
    with suppress(Problem):
        body.parse(raw)


scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
trees = st.recursive(scalars, lambda t: st.lists(t) | st.dictionaries(st.text(), t))


@given(trees, st.booleans())
def test_an_accepted_body_contains_nothing_unstorable(value, ascii_only):
    raw = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    try:
        parsed = body.parse(raw)
    except Problem:
        assert "\\u0000" in json.dumps(value) or "\\ud" in json.dumps(value)
    else:
        assert parsed == value
        assert "\\u0000" not in json.dumps(parsed).replace("\\\\", "")
