"""What tasks have left in the index: the text of their artifacts, and the end of their logs.

Of the latest only, of each task a bounded part, and once the task has ended. What cannot be read,
or is no text, is kept as a file without pieces, so that it is not tried again.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from artifacts import joining, reading, store
from artifacts.exceptions import ObjectMissing, StoreAway
from artifacts.models import LogBatch, Stream
from search import documents, index, indexing, trees
from search.index import Text
from search.models import Kind, Source
from search.signals import indexed

MOST_BYTES = 256 * 1024  # of an artifact
MOST_OF_TASK = 20  # artifacts
LOG_CHARACTERS = 32 * 1024  # at the end of a log
LOG_OBJECTS = 50  # that are read for it, of each stream
AMONG = 20_000  # of the latest rows
AT_ONCE = 20  # objects in a turn
SECONDS = 5.0

log = logging.getLogger("coordinator.search")

ARTIFACTS = """
SELECT a.task_id, a.epoch, a.path, a.key, a.size, a.sha256
FROM artifacts_artifact a JOIN tasks_task t ON t.id = a.task_id
WHERE a.id > (SELECT COALESCE(max(id), 0) - %(among)s FROM artifacts_artifact)
  AND t.status IN ('done', 'failed', 'cancelled')
  AND a.size BETWEEN 1 AND %(most)s
  AND (a.content_type LIKE 'text/%%' OR lower(a.path) ~ %(endings)s)
  AND NOT EXISTS (SELECT FROM search_file f WHERE f.task_id = a.task_id AND f.source = 'artifact'
    AND f.digest = a.sha256
    AND f.path = concat('tasks/', a.task_id, '/artifacts/', a.epoch, '/', a.path))
  AND (SELECT count(*) FROM search_file f
    WHERE f.task_id = a.task_id AND f.source = 'artifact') < %(of_task)s
ORDER BY a.id LIMIT %(at_once)s"""
LOGS = """
SELECT t.id, t.lease_epoch FROM tasks_task t
WHERE t.id IN (SELECT b.task_id FROM artifacts_logbatch b
    WHERE b.id > (SELECT COALESCE(max(id), 0) - %(among)s FROM artifacts_logbatch))
  AND t.status IN ('done', 'failed', 'cancelled')
  AND NOT EXISTS (SELECT FROM search_file f WHERE f.task_id = t.id AND f.source = 'log'
    AND f.digest = t.lease_epoch::text)
ORDER BY t.id LIMIT %(at_once)s"""
ENDINGS = f"[.]({'|'.join(ending[1:] for ending in (*trees.DOCUMENTS, *trees.LANGUAGES))}|log)$"


@dataclass(frozen=True, slots=True)
class Left:
    """Something that a task has left, and its text."""

    source: Source
    task_id: UUID
    path: str
    digest: str
    size: int
    text: str


def index_leavings() -> int:
    """One turn; returns how many pieces were changed."""
    if not settings.SEARCH_TASKS:
        return 0
    started = time.monotonic()
    try:
        found = [*_artifacts(started + SECONDS), *_logs(started + SECONDS)]
    except StoreAway:
        return 0  # health says so; what is left waits
    changes = index.Changes()
    if found:
        writer = indexing.writer()
        for one in found:
            changes += writer.write([_text(one)])
        took = time.monotonic() - started
        indexed.send(Left, source="leavings", changes=changes, seconds=took)
    return changes.pieces


def _artifacts(until: float) -> list[Left]:
    values: dict[str, Any] = {
        "among": AMONG,
        "most": MOST_BYTES,
        "of_task": MOST_OF_TASK,
        "at_once": AT_ONCE,
    }
    found = []
    for task_id, epoch, path, key, size, digest in _rows(ARTIFACTS, values | {"endings": ENDINGS}):
        if time.monotonic() > until:
            break
        place = f"tasks/{task_id}/artifacts/{epoch}/{path}"
        text = "" if trees.is_secret(path) else trees.as_text(_object(key)) or ""
        found.append(Left(Source.ARTIFACT, task_id, place, digest, size, text))
    return found


def _logs(until: float) -> list[Left]:
    found = []
    for task_id, epoch in _rows(LOGS, {"among": AMONG, "at_once": AT_ONCE}):
        if time.monotonic() > until:
            break
        text = _end_of_log(task_id)
        place = f"tasks/{task_id}/log"
        found.append(Left(Source.LOG, task_id, place, str(epoch), len(text), text))
    return found


def _end_of_log(task_id: UUID) -> str:
    """The last lines of each stream of the task's last log, in the order of time."""
    rows = LogBatch.objects.filter(task=task_id).exclude(key="")
    last = rows.order_by("-epoch").first()
    if last is None:
        return ""
    lines: list[reading.Line] = []
    for stream in Stream.values:
        lines += _end_of_stream(rows.filter(epoch=last.epoch, stream=stream))
    lines.sort(key=lambda line: line.clock)
    return "\n".join(line.message for line in lines)[-LOG_CHARACTERS:]


def _end_of_stream(rows: QuerySet[LogBatch]) -> list[reading.Line]:
    """The lines of its last objects, until they are enough."""
    lines: list[reading.Line] = []
    size = 0
    for row in rows.order_by("-sequence")[:LOG_OBJECTS]:
        found = _lines(row)
        lines = found + lines
        size += sum(len(line.message) for line in found)
        if size >= LOG_CHARACTERS:
            break
    return lines


def _lines(row: LogBatch) -> list[reading.Line]:
    """What is in the object of a row; nothing, where that is lost or damaged."""
    content = _object(row.key)
    if not content:  # joined with others meanwhile
        row = LogBatch.objects.filter(pk=row.pk).first() or row
        content = _object(row.key)
    if not content:
        return []
    try:
        return [
            line
            for part in joining.parts_of(row, content)
            for line in reading.read_batch(part, row.stream, row.epoch)
        ]
    except (ValueError, KeyError, TypeError) as problem:
        kind = type(problem).__name__
        log.warning("A log cannot be read.", extra={"task": str(row.task_id), "problem": kind})
        return []


def _object(key: str) -> bytes:
    try:
        return asyncio.run(store.whole(store.current(), key))
    except ObjectMissing:  # removed meanwhile
        return b""


def _rows(sql: str, values: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def _text(left: Left) -> Text:
    name = left.path.rpartition("/")[2]
    pieces = documents.under(name, left.text) if left.text.strip() else []
    return Text(
        left.source,
        "",
        left.path,
        Kind.DOCS,
        "",
        left.digest,
        pieces,
        left.size,
        task_id=left.task_id,
        prior=0.8,
    )
