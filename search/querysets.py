"""Questions to the index, as SQL: which words say much, what has them, and what is near."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from search import vectors
from search.embedders import Vector
from search.models import Kind, Source
from search.ranking import Candidate

MOST_RANKED = 1_500  # pieces whose words are compared for one query
BY_WORDS, BY_VECTORS = 60, 60  # so many of each are candidates
FARTHEST = 0.75  # what is farther from a query than that is not near, though nothing may be nearer
MOST_NEAR = 2_000  # vectors that are compared; of more, an index finds nearly the nearest
MILLISECONDS = 2_000  # that a statement may take
BOUNDED = f"""
SET LOCAL statement_timeout = {MILLISECONDS}; SET LOCAL plan_cache_mode = force_custom_plan"""
NEAREST = f"""
SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = {2 * BY_VECTORS};
SET LOCAL hnsw.max_scan_tuples = {MOST_NEAR}"""
NOTHING = "SELECT 0::bigint AS id, 0::real AS prior, ''::tsvector AS body WHERE false"

# How much a word counts in text, in what stands out or a docstring says, in the headings and the
# path above, and in the name. Chosen by the queries that are not held out (docs/search.md).
WEIGHTS = {Kind.DOCS: [0.6, 0.6, 0.7, 1.0], Kind.CODE: [0.4, 0.8, 0.7, 1.0]}

# Two words that others write as one count as that too: back up, web socket.
LEXEMES = """
SELECT asked.lexeme, COALESCE(t.chunks, 0), COALESCE(whole.chunks, 0)
FROM unnest(to_tsvector('english', %(text)s)) AS asked
LEFT JOIN search_term t ON t.kind = %(kind)s AND t.lexeme = asked.lexeme
LEFT JOIN search_term whole ON whole.kind = %(kind)s AND whole.lexeme = ''
UNION ALL
SELECT pair.lexeme, t.chunks, 0 FROM unnest(to_tsvector('english', %(pairs)s)) AS pair
JOIN search_term t ON t.kind = %(kind)s AND t.lexeme = pair.lexeme AND t.chunks > 0"""
# Of who may not find all: in how many pieces of others a word is shows in nothing.
LEXEMES_ALONE = """
SELECT asked.lexeme, 1, COALESCE(whole.chunks, 0)
FROM unnest(to_tsvector('english', %(text)s)) AS asked
LEFT JOIN search_term whole ON whole.kind = %(kind)s AND whole.lexeme = ''
UNION ALL SELECT pair.lexeme, 1, 0 FROM unnest(to_tsvector('english', %(pairs)s)) AS pair"""
# What a task has left is gone from that moment on, and not when the loop comes to it.
IS_LEFT = """
CASE f.source WHEN 'artifact' THEN EXISTS (
  SELECT FROM artifacts_artifact a WHERE a.task_id = f.task_id AND a.sha256 = f.digest)
WHEN 'log' THEN EXISTS (SELECT FROM artifacts_logbatch b WHERE b.task_id = f.task_id)
ELSE true END"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be found: of these sources, and of tasks those of all users, or of one and nobody.

    `tree`: whether the project's own documents and code are for the caller. `exact`: all vectors
    are compared, which takes longer and finds the same each time.
    """

    sources: Collection[Source] = tuple(Source)
    tree: bool = True
    all_tasks: bool = True
    user_id: UUID | None = None
    exact: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether there is more in the index than may be found."""
        return not (self.tree and self.all_tasks and len(self.sources) == len(Source))

    def condition(self) -> tuple[str, dict[str, Any]]:
        """The same as SQL about a file `f`, whose task has to be there still; and its values."""
        sources = sorted(s for s in self.sources if self.tree or s != Source.TREE)
        owned = "" if self.all_tasks else " AND (t.user_id IS NULL OR t.user_id = %(user)s)"
        of_task = f"EXISTS (SELECT FROM tasks_task t WHERE t.id = f.task_id{owned})"
        return (
            f"f.source = ANY (%(sources)s) AND (f.task_id IS NULL OR {of_task})",
            {"sources": sources, "user": self.user_id},
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of a query as the index has them, in how many pieces each is, and how many there
    are. `counted`: whether that is for the caller to know; else each counts as one.
    """

    kind: Kind
    chunks: dict[str, int]
    total: int
    counted: bool = True

    def weight(self, word: str) -> float:
        """How much a word says, as BM25 has it."""
        among = self.chunks[word]
        return math.log(1 + max(0, self.total - among + 0.5) / (among + 0.5))

    def rare(self) -> list[str]:
        """The words by which candidates are found: the rarest, as far as few enough have them."""
        known = [word for word, among in self.chunks.items() if among]
        chosen: list[str] = []
        total = 0
        for word in sorted(known, key=lambda word: (self.chunks[word], word)):
            total += self.chunks[word]
            if chosen and total > MOST_RANKED:
                break
            chosen.append(word)
        return chosen


def asked(text: str, kind: Kind, scope: Scope) -> Asked:
    """The words of a query, of which those that say nothing are left out."""
    with connection.cursor() as cursor:
        parts = text.split()
        pairs = " ".join(map("".join, pairwise(parts)))
        sql = LEXEMES if scope.all_tasks else LEXEMES_ALONE
        cursor.execute(sql, {"text": text, "kind": kind, "pairs": pairs})
        rows = cursor.fetchall()
    found = {lexeme: max(0, among) for lexeme, among, _ in rows}
    return Asked(kind, found, max([1, *(total for _, _, total in rows)]), scope.all_tasks)


def candidates(words: Asked, vector: Vector | None, scope: Scope) -> list[Candidate]:
    """The pieces that have the words, and those that are near, with how well each fits."""
    if not words.rare() and vector is None:
        return []
    sql, values = _statement(words, vector, scope)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BOUNDED if vector is None else f"{BOUNDED}; {NEAREST}")
        cursor.execute(sql, values)
        return [Candidate(*row) for row in cursor.fetchall()]


def _statement(words: Asked, vector: Vector | None, scope: Scope) -> tuple[str, dict[str, Any]]:
    """One statement: those that match the words, the best of them, and the nearest; as each fits.

    What is no parameter in it are names and numbers of ours.
    """
    visible, values = scope.condition()
    score = _score(words, values)
    # Who finds all is hidden only what tasks have left that are gone: few, and looked at last.
    early = f"JOIN search_file f ON f.id = c.file_id AND {visible}" if scope.is_limited else ""
    among = f"FROM search_chunk c {early} WHERE c.kind = '{words.kind.value}'"
    matching = []
    for number, query in enumerate(_queries(words)):
        values[f"query{number}"] = query
        found = f"AND c.body @@ %(query{number})s::tsquery LIMIT {MOST_RANKED}"
        # A word of each row is asked for; so the row is unpacked once.
        matching.append(f"(SELECT c.id, c.prior, c.body || ''::tsvector AS body {among} {found})")
    parts = [
        f"matching AS MATERIALIZED ({' UNION ALL '.join(matching) or NOTHING})",
        *([] if words.counted else [_says(words)]),
        "best AS MATERIALIZED (SELECT id FROM matching GROUP BY id"  # noqa: S608
        f" ORDER BY max(({score}) * prior) DESC, id LIMIT {BY_WORDS})",
    ]
    found, distance = "SELECT id FROM best", "NULL::float8"
    if vector is not None:
        values["vector"] = vectors.as_text(vector)
        distance = f"({vectors.as_vector(len(vector))} <=> %(vector)s::halfvec({len(vector)}))"
        all_compared = scope.exact or words.total <= MOST_NEAR
        order = f"{distance} + 0" if all_compared else distance
        parts.append(
            f"near AS MATERIALIZED (SELECT c.id, {distance} AS distance {among}"
            f" AND {vectors.are_of(len(vector))} ORDER BY {order} LIMIT {BY_VECTORS})"
        )
        found += f" UNION SELECT id FROM near WHERE distance <= {FARTHEST}"  # noqa: S608
    return (
        f"WITH {', '.join(parts)} "  # noqa: S608
        f"SELECT c.id, f.path, c.number, ({score})::float8, (1 - {distance})::float8, c.prior"
        f" FROM ({found}) found JOIN search_chunk c USING (id)"
        f" JOIN search_file f ON f.id = c.file_id AND {visible} AND {IS_LEFT}"
        " ORDER BY f.path, c.number, c.id"
    ), values


def _queries(words: Asked) -> list[str]:
    """What candidates have to match: any of the rare words; all words, where none is rare."""
    rare = words.rare()
    if not rare:
        return []
    found = [" | ".join(map(quoted, rare))]
    known = [word for word, among in words.chunks.items() if among]
    is_common = not words.counted or words.chunks[rare[0]] > MOST_RANKED
    if is_common and len(known) > 1:
        found.insert(0, " & ".join(map(quoted, known)))
    return found


def _score(words: Asked, values: dict[str, Any]) -> str:
    """How well the words of `body` fit: each counts as much as it says, less where it is often."""
    values["weights"] = WEIGHTS[words.kind]
    terms = []
    for number, (word, among) in enumerate(words.chunks.items()):
        if among:
            values[f"word{number}"] = quoted(word)
            says = f"(TABLE says)[{number + 1}]"
            if words.counted:
                values[f"says{number}"] = words.weight(word)
                says = f"%(says{number})s"
            rank = f"ts_rank(%(weights)s::real[], body, %(word{number})s::tsquery)"
            terms.append(f"{says} * {rank}")
    return " + ".join(terms) or "0"


def _says(words: Asked) -> str:
    """How much each word says, by the pieces alone that the caller may find."""
    weights = []
    for number in range(len(words.chunks)):
        among = f"count(*) FILTER (WHERE body @@ %(word{number})s::tsquery)"
        weights.append(f"ln(1 + (count(*) + 0.5) / ({among} + 0.5))")
    return f"says AS MATERIALIZED (SELECT ARRAY[{', '.join(weights)}]::float8[] FROM matching)"  # noqa: S608


def quoted(word: str) -> str:
    """A word as a query of PostgreSQL."""
    text = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{text}'"


SHOWN = """
SELECT c.id, f.source, f.root, f.path, f.language, f.task_id, c.trail, c.symbol, c.symbol_kind,
  c.first_line, c.last_line, c.content
FROM search_chunk c JOIN search_file f ON f.id = c.file_id WHERE c.id = ANY (%(keys)s) AND """


def shown(keys: Sequence[int], scope: Scope) -> dict[int, tuple[Any, ...]]:
    """What is shown of these pieces, by their keys, of those that may be found still."""
    visible, values = scope.condition()
    with connection.cursor() as cursor:
        cursor.execute(f"{SHOWN} {visible} AND {IS_LEFT}", values | {"keys": list(keys)})
        return {row[0]: row[1:] for row in cursor.fetchall()}
