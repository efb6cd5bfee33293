import pytest

from search import words
from search.snippets import marks_in, snippet


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("claim_in_transaction", ["claim", "in", "transaction"]),
        ("ClaimKey HTTPServer parseURL2", ["claim", "key", "http", "server", "parse", "url2"]),
        ("/api/search/docs?q=1", ["api", "search", "docs", "q", "1"]),
        ("Задача 작업", ["задача", "작업"]),
        ("x" * 41 + " short", ["short"]),
        ("!?", []),
    ],
)
def test_words_are_taken_apart(text, parts):
    assert list(words.parts(text)) == parts


def test_what_cannot_be_stored_is_left_out():
    assert words.cleaned("a\x00b\ud800c\td") == "a b?c\td"


def test_a_snippet_has_the_lines_with_the_most_words():
    content = "\n".join(["nothing"] * 30 + ["claims a task", "by its lease"] + ["more"] * 30)

    found = snippet(content, 100, {"claim", "leas", "task"})

    assert "claims a task\nby its lease" in found.text
    assert found.first_line <= 130 <= 131 <= found.last_line
    assert [found.text[start:end] for start, end in found.marks] == ["claims", "task", "lease"]


def test_a_part_of_an_identifier_is_marked():
    [(start, end, stem)] = marks_in("def getClaimKey():", {"claim"})

    assert ("def getClaimKey():"[start:end], stem) == ("Claim", "claim")


def test_a_snippet_is_bounded_and_its_marks_are_within():
    found = snippet("task " * 10_000, 1, {"task"})

    assert len(found.text) <= 700
    assert all(0 <= start < end <= len(found.text) for start, end in found.marks)
    assert all(found.text[start:end] == "task" for start, end in found.marks)


def test_marks_are_numbers_and_the_text_stays_as_it_is():
    """What shows it has to escape it; nothing of it is markup."""
    found = snippet("<b>task</b> & <script>", 1, {"task"})

    assert found.text == "<b>task</b> & <script>"
    assert found.marks == [(3, 7)]


def test_a_word_is_short_in_lower_case_too():
    """A capital I with a dot is two characters then."""
    assert list(words.parts("\u0130" * 40 + " x")) == ["x"]
