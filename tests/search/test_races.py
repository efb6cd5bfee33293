"""Several who index at once: the loop and a person's command."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from search import indexing
from search.models import Chunk, File
from tests.search.test_index import are_counted_rightly, sections

AT_ONCE = 3


def all_at_once(work):
    start = Barrier(AT_ONCE)

    def one(_):
        try:
            start.wait(20)
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(AT_ONCE)))


@pytest.mark.django_db(transaction=True)
def test_all_who_index_at_once_count_every_word_once(tree, monkeypatch):
    monkeypatch.setattr(indexing, "BATCH", 3)
    for number in range(20):
        tree(f"{number}.md", sections(f"One {number}", "Two"))

    all_at_once(indexing.all_at_once)

    assert (File.objects.count(), Chunk.objects.count()) == (20, 40)
    assert are_counted_rightly()

    for number in range(20):
        tree(f"{number}.md", sections("One")) if number % 2 else (
            tree.folder / f"{number}.md"
        ).unlink()
    all_at_once(indexing.all_at_once)

    assert (File.objects.count(), Chunk.objects.count()) == (10, 10)
    assert are_counted_rightly()
