"""Small trees that are searched."""

import pytest
from django.db import connection

from search import indexing
from search.index import Changes


@pytest.fixture
def tree(tmp_path, settings):
    """A folder that is searched; called with a path and a text it writes a file."""

    def write(path, content):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
        return place

    write.folder = tmp_path
    settings.SEARCH_ROOTS = (("tree", tmp_path),)
    return write


def look():
    """Look through all roots; what has changed."""
    done = indexing.all_at_once().changes
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as a commit does
    return Changes(done.added, done.updated, done.deleted)
