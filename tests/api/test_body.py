"""The parser refuses values that cannot be stored."""

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from django.db import connection
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


LARGEST = int(sys.float_info.max)


@pytest.mark.parametrize(
    "number",
    [2**53 + 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, -(2**63) - 1, 10**30 + 1, LARGEST, -LARGEST],
)
def test_a_whole_number_of_any_size_is_kept_exactly(number):
    raw = b'{"a": [{"seed": %d}], "b": 0.5, "c": "12345678901234567890"}' % number

    parsed = body.parse(raw)

    assert parsed == {"a": [{"seed": number}], "b": 0.5, "c": "12345678901234567890"}
    assert type(parsed["a"][0]["seed"]) is int
    assert json.loads(body.dumps(parsed)) == parsed


@pytest.mark.parametrize(
    "number", [b"1e309", b"-1e400", b"9" * 309, b"-" + b"9" * 400, b"9" * 5000, b"1e999999999"]
)
def test_a_number_beyond_every_float_is_refused_by_name(number):
    with pytest.raises(BadJson, match=r"^payload\.x\[1\] must not be a number beyond 1.8e308$"):
        body.parse(b'{"payload": {"x": [0, %s], "y": 2}}' % number)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"seed": 1, "seed": 2}',
        b'{"a": {"seed": 1, "at": "12:30", "seed": 1}}',
        b'[{"x": 1}, {"seed": {}, "seed": []}]',
        b'{"seed": 18446744073709551617, "\\u0073eed": 2}',
    ],
)
def test_a_name_given_twice_in_one_object_is_refused(raw):
    with pytest.raises(BadJson, match=r"^seed must not be given twice in one object$"):
        body.parse(raw)


@pytest.mark.parametrize(
    "raw", [b'{"a": {"x": 1}, "b": {"x": ":"}}', b'{"a:b": "c:d", "x": ["12:30"]}', b'"::"']
)
def test_colons_in_texts_are_no_repeated_names(raw):
    assert body.parse(raw) == json.loads(raw)


def test_what_both_encoders_write_is_the_same():
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    key = UUID(int=1)
    tree = {"at": moment, "id": key, "raw": orjson.Fragment(b'{"n":1e22}'), "text": "빌드\n"}

    small = body.dumps({**tree, "n": 1}, orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    large = body.dumps({**tree, "n": 2**64}, orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)

    assert large == small.replace(b'"n":1}', b'"n":%d}' % 2**64).replace(b"1e22", b"1e+22")


def test_a_raw_part_keeps_its_whole_numbers():
    written = body.dumps({"n": 2**65, "raw": orjson.Fragment(b'{"n":18446744073709551617}')})

    assert json.loads(written) == {"n": 2**65, "raw": {"n": 2**64 + 1}}


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_a_problem(raw):
    with suppress(Problem):
        body.parse(raw)


scalars = st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.text()
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


@pytest.mark.django_db
@pytest.mark.parametrize(
    "number",
    [
        *(1e308, -1.797e308, 5e-324, -2.5e-10, 1e-7, 9.9e-5, 1e-4, 1e15, 1e16, 1e22, 1e23, 0.0),
        *(1.2345678901234567e16, 1.2345678901234567e17, 1.2345678901234567e-5, 2**70),
    ],
)
def test_the_stored_size_is_that_of_the_database(number):
    with connection.cursor() as cursor:
        cursor.execute("SELECT octet_length(%s::jsonb::text)", [json.dumps(number)])
        [size] = cursor.fetchone()

    assert body.stored_size(number) == size
    assert body.stored_size({"a": [number, "1e308"]}) == size + len('{"a":[,"1e308"]}')
    assert body.is_larger(number, size - 1)
    assert not body.is_larger(number, max(size, len(body.dumps(number))))


def test_no_json_grows_more_than_is_reckoned_with():
    for number in (1e308, 1e-308, 5e-324, sys.float_info.max, sys.float_info.min):
        assert body.stored_size(number) <= body.MOST_GROWTH * len(body.dumps(number))


@pytest.mark.parametrize("number", [1, 2**64])
def test_names_are_sorted_where_that_is_asked_for(number):
    written = body.dumps({"b": {"d": number, "c": 2}, "a": 1}, orjson.OPT_SORT_KEYS)

    assert written == b'{"a":1,"b":{"c":2,"d":%d}}' % number
