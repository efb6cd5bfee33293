"""Words of other languages, by the project's own catalogs."""

import pytest

from search import finding, translation
from search.models import Kind
from search.querysets import Scope
from tests.search.trees import look


@pytest.mark.parametrize(
    ("text", "word"),
    [("приостановить", "pause"), ("задачи", "task"), ("작업", "task"), ("채널", "channel")],
)
def test_words_of_the_pages_have_an_english_one(text, word):
    assert any(other.startswith(word) for other in translation.english(text))


def test_english_is_left_as_it_is():
    assert translation.english("pause the channel, Straße 42 שלום") == []


@pytest.mark.django_db
def test_a_document_in_english_is_found_in_russian(tree):
    tree("a.md", "# Pause\n\nA channel may be paused.\n")
    tree("b.md", "# Backup\n\nDump it.\n")
    look()

    found = finding.search("приостановить канал", Kind.DOCS, Scope())

    assert found.hits[0].path == "a.md"
