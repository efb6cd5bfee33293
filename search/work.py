"""Tasks in the index: titles, descriptions and chains of the latest ones.

A chain is found by its tasks: by its name each of them, by its id and description the first.

A row beside the task, written afterwards by the loop: an index over the tasks themselves would be
written anew whenever a task is claimed or ends. Tasks of sweeps have no words of their own.
"""

import time
from dataclasses import replace
from uuid import UUID

from django.conf import settings
from django.db import connection

from search import documents, index, indexing
from search.chunks import LONGEST_ABOUT
from search.index import Changes, Text
from search.models import File, Kind, Source
from search.signals import indexed

AT_ONCE = 200  # tasks in a transaction
MOST_AT_ONCE = 2_000  # tasks in a turn
CHECKED_AT_ONCE = 2_000
LONGEST = 8_000  # characters of a description
MOST_PIECES = 4

# A key begins with the time when it was made, to the millisecond; a transaction may take 50 s.
# Keys of a clock that was ahead are later than those of tasks that are still to come.
BEGINNING = """
SELECT GREATEST(
  (SELECT (lpad(to_hex(GREATEST(0, ('x' || translate(left(newest.task_id::text, 13), '-', ''))
      ::bit(48)::bigint - 60000)), 12, '0') || repeat('0', 20))::uuid::text
   FROM (SELECT task_id FROM search_file WHERE source = 'task' AND task_id <= (lpad(to_hex(
           (extract(epoch FROM now()) * 1000)::bigint + 60000), 12, '0') || repeat('f', 20))::uuid
         ORDER BY task_id DESC LIMIT 1) AS newest),
  (SELECT id::text FROM tasks_task ORDER BY id DESC OFFSET %(most)s LIMIT 1),
  '00000000-0000-0000-0000-000000000000')"""
NEW = """
SELECT t.id, t.title, left(t.description, %(longest)s), CASE
  WHEN c.id IS NULL THEN ''
  WHEN EXISTS (SELECT FROM tasks_task before
    WHERE before.chain_id = t.chain_id AND before.sequence < t.sequence) THEN c.name
  ELSE concat_ws(' ', c.name, c.id, left(c.description, %(about)s)) END
FROM tasks_task t LEFT JOIN jobs_job j ON j.id = t.job_id
LEFT JOIN chains_chain c ON c.id = t.chain_id
WHERE t.id > %(after)s AND (t.job_id IS NULL OR j.kind = 'command') AND NOT EXISTS (
  SELECT FROM search_file f WHERE f.task_id = t.id AND f.source = 'task')
ORDER BY t.id LIMIT %(most)s"""
GONE = """
SELECT f.task_id, f.id, NOT EXISTS (SELECT FROM tasks_task t WHERE t.id = f.task_id)
  OR (f.source = 'artifact' AND NOT EXISTS (
    SELECT FROM artifacts_artifact a WHERE a.task_id = f.task_id AND a.sha256 = f.digest))
  OR (f.source = 'log' AND NOT EXISTS (
    SELECT FROM artifacts_logbatch b WHERE b.task_id = f.task_id))
FROM search_file f WHERE f.task_id >= %(task)s AND (f.task_id, f.id) > (%(task)s, %(file)s)
ORDER BY f.task_id, f.id LIMIT %(most)s"""
BEYOND = """
SELECT f.id FROM search_file f WHERE f.source = 'task' AND f.task_id IS NOT NULL
ORDER BY f.task_id DESC OFFSET %(most)s LIMIT %(at_once)s"""
FIRST = (UUID(int=0), 0)


class TaskIndexer:
    """Adds new tasks, and takes out those that are gone or beyond the number that is kept.

    What tasks have left (`leavings`) goes with the task, and when it is removed itself.
    """

    def __init__(self) -> None:
        self.checked = FIRST

    def run(self) -> int:
        """One turn; returns how many pieces were changed."""
        started = time.monotonic()
        changes = Changes()
        if settings.SEARCH_TASKS:
            changes += self._add()
        changes += self._remove(_ids(BEYOND, most=settings.SEARCH_TASKS, at_once=MOST_AT_ONCE))
        changes += self._remove(self._gone())
        if changes.pieces:
            took = time.monotonic() - started
            indexed.send(TaskIndexer, source="task", changes=changes, seconds=took)
        return changes.pieces

    def _add(self) -> Changes:
        writer = indexing.writer()
        with connection.cursor() as cursor:
            cursor.execute(BEGINNING, {"most": settings.SEARCH_TASKS})
            after = cursor.fetchone()[0]
            values = {"longest": LONGEST, "about": LONGEST_ABOUT, "most": MOST_AT_ONCE}
            cursor.execute(NEW, values | {"after": after})
            found = [_text(*row) for row in cursor.fetchall()]
        changes = Changes()
        for start in range(0, len(found), AT_ONCE):
            changes += writer.write(found[start : start + AT_ONCE])
        return changes

    def _gone(self) -> list[int]:
        """Those of the next rows whose task is gone."""
        with connection.cursor() as cursor:
            task_id, file_id = self.checked
            cursor.execute(GONE, {"task": task_id, "file": file_id, "most": CHECKED_AT_ONCE})
            rows = cursor.fetchall()
        self.checked = rows[-1][:2] if len(rows) == CHECKED_AT_ONCE else FIRST
        return [pk for _, pk, is_gone in rows if is_gone]

    def _remove(self, ids: list[int]) -> Changes:
        changes = Changes()
        for start in range(0, len(ids), AT_ONCE):
            changes += index.remove(ids[start : start + AT_ONCE])
        return changes


def _ids(sql: str, **values: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [pk for (pk,) in cursor.fetchall()]


def _text(task_id: UUID, title: str, description: str, chain: str) -> Text:
    content = f"{title}\n\n{description}" if description else title
    pieces = [replace(piece, about=chain) for piece in documents.under(title, content)]
    return Text(
        Source.TASK,
        "",
        f"tasks/{task_id}",
        Kind.DOCS,
        "",
        "",
        pieces[:MOST_PIECES],
        size=len(title) + len(description),
        task_id=task_id,
        title=title,
    )


def count() -> int:
    """How many tasks are in the index."""
    return File.objects.filter(source=Source.TASK).count()
