"""Writes files and their pieces to the index, and takes them away.

Whoever writes has a lock for its transaction, so that two at once count no word twice.
"""

import logging
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from itertools import groupby
from uuid import UUID

from django.db import DataError, connection, transaction

from search import embedders, trees, vectors, words
from search.chunks import Piece
from search.exceptions import EmbedderFailed
from search.models import Chunk, File, Kind, Source

log = logging.getLogger("coordinator.search")

LOCK = 0x5EA2C4  # an advisory lock of ours
OUTSIDE = 0.8  # how much what stands outside of definitions counts

UPSERT = """
INSERT INTO search_file
  (source, root, path, kind, language, task_id, digest, size, changed, embedder)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[],
  %s::text[], %s::bigint[], %s::bigint[], %s::text[])
ON CONFLICT (source, root, MD5(path)) DO UPDATE SET kind = excluded.kind,
  language = excluded.language, task_id = excluded.task_id, digest = excluded.digest,
  size = excluded.size, changed = excluded.changed, embedder = excluded.embedder, indexed_at = now()
RETURNING id, source, root, path"""
INSERT = """
INSERT INTO search_chunk (file_id, kind, number, trail, symbol, symbol_kind, first_line, last_line,
  content, prior, body, embedding)
SELECT file, kind, number, trail, symbol, symbol_kind, first, last, content, prior,
  setweight(to_tsvector('english', named), 'A') || setweight(to_tsvector('english', above), 'B')
    || setweight(to_tsvector('english', lead), 'C') || to_tsvector('english', words),
  embedding::real[]
FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::int[],
  %s::int[], %s::text[], %s::real[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
  AS new (file, kind, number, trail, symbol, symbol_kind, first, last, content, prior,
  named, above, lead, words, embedding)
ORDER BY file, number"""
# The word '' is in all of them. In the order of the words, as all that writes to terms.
COUNT_UP = """
INSERT INTO search_term (kind, lexeme, chunks)
SELECT c.kind, w.lexeme, count(*) FROM search_chunk c, unnest(c.body) AS w
WHERE c.file_id = ANY (%s) GROUP BY 1, 2
UNION ALL SELECT kind, '', count(*) FROM search_chunk WHERE file_id = ANY (%s) GROUP BY 1
ORDER BY 1, 2
ON CONFLICT (kind, lexeme) DO UPDATE SET chunks = search_term.chunks + excluded.chunks"""
COUNT_DOWN = """
WITH gone AS (
  SELECT c.kind, w.lexeme, count(*) AS chunks FROM search_chunk c, unnest(c.body) AS w
  WHERE c.file_id = ANY (%s) GROUP BY 1, 2
  UNION ALL SELECT kind, '', count(*) FROM search_chunk WHERE file_id = ANY (%s) GROUP BY 1)
UPDATE search_term t SET chunks = t.chunks - gone.chunks FROM gone
WHERE t.kind = gone.kind AND t.lexeme = gone.lexeme"""


Key = tuple[str, str, str]
Known = dict[Key, tuple[int, int]]
"""Files of the index by source, root and path: their ids, and how many pieces they have."""


@dataclass(frozen=True, slots=True)
class Text:
    """What is to be indexed as one file."""

    source: Source
    root: str
    path: str
    kind: Kind
    language: str
    digest: str
    pieces: Sequence[Piece]
    size: int = 0
    changed: int = 0
    task_id: UUID | None = None
    title: str = ""
    prior: float = 1.0


@dataclass(frozen=True, slots=True)
class Changes:
    """How many pieces were added, made anew, and taken away; and what went wrong."""

    added: int = 0
    updated: int = 0
    deleted: int = 0
    errors: int = 0
    embedded: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Changes") -> "Changes":
        return Changes(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def pieces(self) -> int:
        """How many were changed in any way."""
        return self.added + self.updated + self.deleted


@dataclass(slots=True)
class Writer:
    """Writes texts; `embedder`: None where there is none, or the database has no vectors."""

    embedder: embedders.Embedder | None
    total: Changes = field(default_factory=Changes)

    @property
    def name(self) -> str:
        return self.embedder.name if self.embedder else ""

    def write(self, texts: Sequence[Text]) -> Changes:
        """Index these texts in place of what there was of them, in one transaction.

        One that the database refuses, for whatever is in it, does not keep out the others: it has
        no pieces, and so is not tried again until it has changed.
        """
        try:
            changes = self._written(texts)
        except DataError as problem:
            if len(texts) > 1:
                return sum((self.write([text]) for text in texts), Changes())
            told = {"path": texts[0].path, "problem": str(problem).partition("\n")[0]}
            log.warning("A text cannot be indexed.", extra=told)
            changes = self._written([replace(texts[0], pieces=())]) + Changes(errors=1)
        self.total += changes
        return changes

    def _written(self, texts: Sequence[Text]) -> Changes:
        made, name = self._embedded(texts)
        with transaction.atomic():
            lock()
            before = _known(texts)
            ids = _files(texts, name)
            _remove_chunks([before[key][0] for key in ids if key in before])
            _insert(texts, [ids[_key(text)] for text in texts], made)
            return self._changes(texts, before, len(made), name)

    def _changes(self, texts: Sequence[Text], before: Known, made: int, name: str) -> Changes:
        changes = Changes(errors=int(name != self.name), embedded=made)
        for text in texts:
            old = before[_key(text)][1] if _key(text) in before else 0
            new = len(text.pieces)
            changes += Changes(max(0, new - old), min(old, new), max(0, old - new))
        return changes

    def _embedded(self, texts: Sequence[Text]) -> tuple[list[embedders.Vector], str]:
        """A vector for each piece, and who made them: nobody, where the embedder fails."""
        if self.embedder is None:
            return [], ""
        asked = [told(text, piece) for text in texts for piece in text.pieces]
        try:
            return self.embedder.embed(asked), self.embedder.name
        except EmbedderFailed:
            return [], ""


def told(text: Text, piece: Piece) -> str:
    """What an embedder is told of a piece: what it is called, and what it says it is about."""
    above = " ".join(piece.trail)
    symbol = piece.symbol.replace(".", " ")
    says = piece.lead or piece.content[:600]
    return f"{text.title}\n{text.path}\n{above}\n{symbol} {symbol}\n{says}"


def lock() -> None:
    """Be the only one who writes to the index until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _key(text: Text) -> Key:
    return text.source, text.root, text.path


def _known(texts: Sequence[Text]) -> Known:
    """The files that are indexed already, with their ids and how many pieces they have."""
    found: Known = {}
    for (source, root), group in groupby(texts, key=lambda text: (text.source, text.root)):
        with connection.cursor() as cursor:
            cursor.execute(KNOWN, [[text.path for text in group], source, root])
            for path, file_id, count in cursor.fetchall():
                found[source, root, path] = (file_id, count)
    return found


KNOWN = """
SELECT f.path, f.id, (SELECT count(*) FROM search_chunk c WHERE c.file_id = f.id)
FROM search_file f JOIN unnest(%s::text[]) AS asked (path) ON MD5(f.path) = MD5(asked.path)
WHERE f.source = %s AND f.root = %s AND f.path = asked.path"""


def _files(texts: Sequence[Text], embedder: str) -> dict[Key, int]:
    """Make the rows of these files, or let those that are there say what is new; their ids."""
    rows = [
        (
            *(text.source, text.root, text.path, text.kind, text.language, text.task_id),
            *(text.digest, text.size, text.changed, embedder),
        )
        for text in texts
    ]
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, [list(column) for column in zip(*rows, strict=True)])
        return {(source, root, path): pk for pk, source, root, path in cursor.fetchall()}


def _insert(texts: Sequence[Text], ids: Sequence[int], made: Sequence[embedders.Vector]) -> None:
    rows: list[tuple[object, ...]] = []
    for text, file_id in zip(texts, ids, strict=True):
        for number, piece in enumerate(text.pieces):
            vector = vectors.literal(made[len(rows)]) if made else None
            rows.append((file_id, *_row(text, number, piece), vector))
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [list(column) for column in zip(*rows, strict=True)])
            cursor.execute(COUNT_UP, [list(ids), list(ids)])


def _row(text: Text, number: int, piece: Piece) -> tuple[object, ...]:
    content = words.cleaned(piece.content)
    named = [piece.trail[-1] if piece.trail else text.title, piece.symbol]
    above = [*piece.trail[:-1], text.title, text.path.rpartition(".")[0] or text.path, piece.about]
    return (
        *(text.kind, number, words.cleaned("\n".join(piece.trail))[:2_000]),
        *(words.cleaned(piece.symbol), piece.symbol_kind, piece.first_line, piece.last_line),
        *(content, text.prior * (OUTSIDE if piece.symbol_kind == "module" else 1.0)),
        *(
            words.spread(words.cleaned(part))
            for part in (" ".join(named), " ".join(above), piece.lead)
        ),
        words.spread(content),
    )


def _remove_chunks(file_ids: Sequence[int]) -> int:
    if not file_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(COUNT_DOWN, [list(file_ids), list(file_ids)])
    return Chunk.objects.filter(file__in=file_ids)._raw_delete("default")


def remove(file_ids: Sequence[int]) -> Changes:
    """Take these files out of the index, with their pieces, in one transaction."""
    with transaction.atomic():
        lock()
        deleted = _remove_chunks(file_ids)
        File.objects.filter(pk__in=file_ids)._raw_delete("default")
    return Changes(deleted=deleted)


def text_of(root: trees.Root, found: trees.Found, content: str, digest: str) -> Text | None:
    """A file of a tree as it is indexed; None where there is nothing in it."""
    from search import code, documents

    known = trees.kind_of(found.path)
    if known is None:
        return None
    kind, language = known
    pieces = code.pieces(content, language) if kind == Kind.CODE else documents.pieces(content)
    return Text(
        Source.TREE,
        root.name,
        found.path,
        kind,
        language,
        digest,
        pieces,
        found.size,
        found.changed,
        prior=trees.prior_of(found.path),
    )


def tidy() -> None:
    """Put new words where they belong in their indexes; until then every search reads them all."""
    with connection.cursor() as cursor:
        for kind in Kind.values:
            cursor.execute("SELECT gin_clean_pending_list(%s)", [f"search_words_of_{kind}"])


def empty() -> None:
    """Take everything out of the index."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock()
        cursor.execute("TRUNCATE search_file, search_chunk, search_term")
