"""The index follows the files: by their content, bounded in time, with nothing left over."""

import os
import shutil

import pytest
from django.db import connection

from search import chunks, index, indexing, trees
from search.embedders import HashingEmbedder
from search.exceptions import EmbedderFailed
from search.index import Changes, Writer
from search.models import Chunk, File, IndexRun, Term
from tests.search.trees import look

pytestmark = pytest.mark.django_db

RECOUNT = """
SELECT kind, lexeme, count(*) FROM search_chunk, unnest(body) GROUP BY 1, 2
UNION ALL SELECT kind, '', count(*) FROM search_chunk GROUP BY 1"""


def paths():
    return list(File.objects.order_by("path").values_list("path", flat=True))


def are_counted_rightly():
    with connection.cursor() as cursor:
        cursor.execute(RECOUNT)
        counted = {(kind, lexeme): count for kind, lexeme, count in cursor.fetchall()}
    return counted == {(t.kind, t.lexeme): t.chunks for t in Term.objects.exclude(chunks=0)}


def sections(*names):
    return "\n".join(f"# {name}\n\nAbout {name}.\n" for name in names)


def test_files_are_added_once(tree):
    tree("a.md", sections("One", "Two"))
    tree("b/c.py", "def claim():\n    return 1\n")

    assert look() == Changes(added=3)
    assert look() == Changes()
    assert paths() == ["a.md", "b/c.py"]
    assert Chunk.objects.get(file__path="b/c.py").symbol == "claim"
    assert are_counted_rightly()


def test_a_file_that_shrank_loses_its_last_pieces(tree):
    tree("a.md", sections("One", "Two", "Three"))
    look()
    tree("a.md", sections("One"))

    assert look() == Changes(updated=1, deleted=2)
    assert [chunk.trail for chunk in Chunk.objects.all()] == ["One"]
    assert are_counted_rightly()


def test_a_file_that_grew_has_more(tree):
    tree("a.md", sections("One"))
    look()
    tree("a.md", sections("Zero", "One", "Two"))

    assert look() == Changes(added=2, updated=1)
    assert [chunk.trail for chunk in Chunk.objects.order_by("number")] == ["Zero", "One", "Two"]


def test_a_file_that_is_gone_goes(tree):
    tree("a.md", sections("One"))
    place = tree("b.md", sections("Two", "Three"))
    look()
    place.unlink()

    assert look() == Changes(deleted=2)
    assert paths() == ["a.md"]
    assert are_counted_rightly()


def test_what_counts_is_the_content(tree):
    """A file that was only touched is read, but not indexed again."""
    place = tree("a.md", sections("One"))
    look()
    before = Chunk.objects.get().pk
    os.utime(place, ns=(1, 1))

    assert look() == Changes()
    assert Chunk.objects.get().pk == before
    assert File.objects.get().changed == 1


def test_a_file_that_becomes_secret_goes(tree):
    tree("a.md", sections("One"))
    look()
    tree("a.md", "-----BEGIN PRIVATE KEY-----")

    assert look() == Changes(deleted=1)
    assert paths() == []


def test_a_folder_that_is_searched_no_more_goes(tree, settings, tmp_path_factory):
    tree("a.md", sections("One"))
    look()
    other = tmp_path_factory.mktemp("other")
    (other / "b.md").write_text(sections("Two"))
    settings.SEARCH_ROOTS = (("other", other),)

    assert look() == Changes(added=1, deleted=1)
    assert paths() == ["b.md"]


def test_a_folder_that_is_away_keeps_what_it_had(tree):
    tree("a.md", sections("One"))
    look()
    shutil.move(tree.folder, f"{tree.folder}-away")

    assert look() == Changes()
    assert paths() == ["a.md"]


def test_two_folders_may_have_a_file_of_one_path(tree, settings, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    settings.SEARCH_ROOTS = (("tree", tree.folder), ("other", other))
    tree("a.md", sections("One"))
    (other / "a.md").write_text(sections("Two"))

    look()

    assert paths() == ["a.md", "a.md"]


def test_a_turn_is_bounded_and_the_next_goes_on(tree, monkeypatch):
    for n in range(10):
        tree(f"{n}.md", sections(f"Part {n}"))
    monkeypatch.setattr(indexing, "TURN", 0.0)
    monkeypatch.setattr(indexing, "BATCH", 2)
    passing = indexing.TreeIndexer()

    turns = [passing.run() for _ in range(30)]

    assert sum(turns) == 10
    assert max(turns) <= 2
    assert File.objects.count() == 10
    assert IndexRun.objects.get().added == 10
    assert passing.look is None
    assert passing.run() == 0  # it rests


def test_a_turn_that_fails_begins_anew(tree, monkeypatch):
    tree("a.md", sections("One"))
    passing = indexing.TreeIndexer()
    with monkeypatch.context() as broken:
        broken.setattr(Writer, "write", lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            passing.run()

    assert passing.run() == 1


def test_two_who_index_at_once_count_once(tree):
    tree("a.md", sections("One"))
    root = trees.Root("tree", tree.folder)
    [found] = trees.files(root)
    text = index.text_of(root, found, sections("One"), "digest")

    Writer(None).write([text])
    Writer(None).write([text])

    assert Chunk.objects.count() == 1
    assert are_counted_rightly()


def test_hostile_content_is_stored_as_text(tree):
    tree("a.md", "# <script>\u0007 'x' \\ %s {}\n\n" + "x" * 100_000)
    tree("b.py", "def f():\n    '''\\x00'''\n" + "y = 1\n" * 20_000)

    look()

    assert Chunk.objects.filter(trail="<script>  'x' \\ %s {}").exists()
    assert max(map(len, Chunk.objects.values_list("content", flat=True))) <= chunks.LONGEST
    assert Chunk.objects.filter(file__path="b.py").count() <= chunks.MOST
    assert are_counted_rightly()


class Failing(HashingEmbedder):
    name = "failing"

    def embed(self, texts):
        raise EmbedderFailed


def test_where_the_embedder_fails_words_are_indexed_and_vectors_come_later(tree, monkeypatch):
    monkeypatch.setattr(indexing.embedders, "current", Failing)
    tree("a.md", sections("One"))

    changes = indexing.all_at_once().changes

    assert (changes.added, changes.errors) == (1, 1)
    assert Chunk.objects.get().embedding is None
    monkeypatch.setattr(indexing.embedders, "current", HashingEmbedder)
    assert look() == Changes(updated=1)
    assert len(Chunk.objects.get().embedding) == 256
    assert File.objects.get().embedder == "hashing-1"


def test_another_embedder_embeds_anew(tree, settings):
    tree("a.md", sections("One"))
    look()
    settings.SEARCH_EMBEDDER = "none"

    assert look() == Changes(updated=1)
    assert Chunk.objects.get().embedding is None


def test_an_empty_index_has_nothing(tree):
    tree("a.md", sections("One"))
    look()

    index.empty()

    assert not File.objects.exists()
    assert not Term.objects.exists()
    assert look() == Changes(added=1)


def test_who_indexes_nothing_leaves_what_others_have_indexed(tree, settings):
    tree("a.md", sections("One"))
    look()
    settings.SEARCH_ROOTS = ()

    assert look() == Changes()
    assert paths() == ["a.md"]


def test_after_a_look_no_words_wait_outside_of_their_index(tree):
    tree("a.md", sections("One"))
    look()

    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('search_words_of_docs')")
        assert cursor.fetchone() == (0,)


def test_a_text_that_the_database_refuses_keeps_out_no_other(tree, monkeypatch):
    real = index._row

    def refused(text, number, piece):
        row = list(real(text, number, piece))
        if text.path == "b.md":
            row[3] = "x" * 300  # longer than its column
        return tuple(row)

    monkeypatch.setattr(index, "_row", refused)
    for name in ("a.md", "b.md", "c.md"):
        tree(name, sections("One"))

    assert indexing.all_at_once().changes.errors == 1
    assert paths() == ["a.md", "b.md", "c.md"]
    assert Chunk.objects.values_list("file__path", flat=True).distinct().count() == 2
    assert are_counted_rightly()
    assert indexing.all_at_once().changes.errors == 0
