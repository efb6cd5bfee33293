"""Vectors in the database, by pgvector where the server has it. Without, words alone decide.

A vector is an array of numbers, which needs no extension. What finds the nearest is an index over
that array as pgvector's type, one for each kind and each number of dimensions.
"""

import time
from collections.abc import Sequence
from threading import Lock

from django.db import DatabaseError, connection, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from search.models import Kind

LOOK_AGAIN = 60.0  # seconds
# An index with pgvector's own numbers takes three times as long to fill, and finds little more.
CHEAP = "m = 8, ef_construction = 32"
OLDEST = (0, 8)  # the first version whose index goes on until enough is found that may be shown

AVAILABLE = """
SELECT COALESCE(installed_version, default_version) FROM pg_available_extensions
WHERE name = 'vector'"""
INDEXES = "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s::text[]) AS name"
IS_THERE = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"


class Presence:
    """Whether the database has pgvector, as last seen."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.seen = False
        self.look_at = 0.0

    def __call__(self) -> bool:
        with self.lock:
            if not self.seen and time.monotonic() >= self.look_at:
                self.look_at = time.monotonic() + LOOK_AGAIN
                self.seen = _is_new(IS_THERE)
            return self.seen

    def forget(self) -> None:
        with self.lock:
            self.seen, self.look_at = False, 0.0


are_there = Presence()


def install(dimensions: int) -> bool:
    """Make the extension and the indexes, if they can be made; whether they are there."""
    with connection.cursor() as cursor:
        cursor.execute(INDEXES, [[_name(kind, dimensions) for kind in Kind.values]])
        if cursor.fetchone()[0]:
            return True
    if not _is_new(AVAILABLE):
        return False
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
            for kind in Kind.values:
                cursor.execute(_index(kind, dimensions))
    except DatabaseError:  # the role may not, or somebody else is just doing it
        return False
    are_there.forget()
    return True


def _is_new(sql: str) -> bool:
    """Whether this asks for a version of pgvector that there is, and that is new enough."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    numbers = [int(part) for part in str(row[0]).split(".")[:2] if part.isdigit()] if row else []
    return tuple(numbers) >= OLDEST


def _name(kind: str, dimensions: int) -> str:
    return f"search_vectors_of_{kind}_{dimensions:d}"


def _index(kind: str, dimensions: int) -> str:
    return (
        f"CREATE INDEX IF NOT EXISTS {_name(kind, dimensions)} ON search_chunk "
        f"USING hnsw (({as_vector(dimensions)}) halfvec_cosine_ops) WITH ({CHEAP}) "
        f"WHERE kind = '{kind}' AND {are_of(dimensions)}"
    )


def as_vector(dimensions: int) -> str:
    """The array of a chunk as pgvector's type, as the indexes have it."""
    return f"embedding::halfvec({dimensions:d})"


def are_of(dimensions: int) -> str:
    """The condition of the indexes."""
    return f"cardinality(embedding) = {dimensions:d}"


def as_text(vector: Sequence[float]) -> str:
    """A vector as pgvector reads it."""
    return f"[{','.join(map(repr, vector))}]"


def literal(vector: Sequence[float]) -> str:
    """A vector as PostgreSQL reads an array."""
    return "{" + ",".join(map(repr, vector)) + "}"


def at_migration(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make what can be made of it for the embedder of the settings."""
    from search import embedders

    embedder = embedders.current()
    if embedder is not None:
        install(embedder.dimensions)


def drop(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Remove the indexes; the extension may be used by others."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index"
            " WHERE indrelid = 'search_chunk'::regclass"
            " AND indexrelid::regclass::text LIKE '%search_vectors_of%'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP INDEX {name}")
