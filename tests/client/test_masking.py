"""Secrets are found in every form and across every border; lines are cut, never lost."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator_client.runner.lines import LONGEST, LineReader
from coordinator_client.runner.masking import MASK, Masker

SECRET = "p@ss/w+rd."


def read(data, masker=None, size=None):
    """The lines of these bytes, fed in chunks of this size."""
    reader = LineReader(masker or Masker())
    size = size or len(data) or 1
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    return [line for chunk in chunks for line in reader.feed(chunk)] + reader.end()


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_each_form_of_a_value_is_masked(text):
    assert Masker([SECRET]).mask(f"a {text} b") == f"a {MASK} b"


@pytest.mark.parametrize("before", ["x:", "user:", "ab"])
def test_a_value_inside_of_base64_is_masked(before):
    text = base64.b64encode(f"{before}correct horse battery".encode()).decode()

    masked = Masker(["correct horse battery"]).mask(text)

    assert MASK in masked
    assert len(masked.replace(MASK, "")) <= 10


def test_the_longest_comes_first_and_what_overlaps_is_one():
    masker = Masker(["abcd", "abcdef", "efgh"])

    assert masker.mask("xabcdefy") == f"x{MASK}y"
    assert masker.mask("abcdefgh.") == f"{MASK}."


def test_values_of_less_than_three_characters_are_left():
    assert Masker(["ab", "", "x"]).mask("ab x") == "ab x"


def test_what_means_something_in_a_pattern_is_taken_literally():
    assert Masker(["a.c*(["]).mask("abc a.c*([") == f"abc {MASK}"


def test_each_line_of_a_value_is_masked():
    key = "-----BEGIN-----\nMIIabc\n-----END-----\n"

    lines = read(f"{key}MIIabc\n".encode(), Masker([key]))

    assert lines == [MASK, MASK, MASK, MASK]


@pytest.mark.parametrize("size", range(1, 12))
def test_a_value_across_chunks_is_masked(size):
    lines = read(f"a {SECRET} b\n{SECRET}".encode(), Masker([SECRET]), size)

    assert lines == [f"a {MASK} b", MASK]


def test_a_value_where_a_long_line_is_cut_is_masked():
    for offset in range(len(SECRET) + 1):
        text = "x" * (LONGEST - offset) + SECRET + "y" * LONGEST
        lines = read(text.encode(), Masker([SECRET]), 4096)

        assert "".join(lines) == text.replace(SECRET, MASK)


def test_a_line_without_an_end_is_given_but_for_what_may_become_a_value():
    reader = LineReader(Masker([SECRET]))

    assert reader.feed(f"Password: {SECRET[:4]}".encode()) == []
    assert reader.unfinished() == ["Password: "]
    assert reader.feed(f"{SECRET[4:]}!\n".encode()) == [f"{MASK}!"]


def test_bytes_that_are_no_text_are_replaced():
    assert read(b"a\xff\xe2\x82\xac\r\nb\0c\n\xe2\x82") == [
        "a\N{REPLACEMENT CHARACTER}€",
        "b␀c",
        "\N{REPLACEMENT CHARACTER}",
    ]


def test_lines_of_any_length_are_cut_and_nothing_is_lost():
    text = "a" * (5 * LONGEST + 7)

    for data in (text, f"{text}\n"):
        lines = read(data.encode(), size=65536)
        assert "".join(lines) == text
        assert max(map(len, lines)) <= LONGEST


@settings(max_examples=200, deadline=None)
@given(
    st.text("ab\n", max_size=60), st.integers(1, 7), st.lists(st.text("ab", min_size=3), max_size=3)
)
def test_however_it_is_cut_no_value_is_left(text, size, values):
    lines = read(text.encode(), Masker(values), size)

    assert not any(value in line for value in values for line in lines)
    assert len(lines) == len(text.split("\n")) - (text == "" or text.endswith("\n"))
