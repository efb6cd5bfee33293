"""Keeps the index current: looks through the roots a little at a time, and writes what changed."""

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from search import embedders, index, trees, vectors
from search.index import Changes, Text, Writer
from search.models import File, IndexRun, Source
from search.signals import indexed

BATCH = 100  # pieces in a transaction
KEPT_RUNS = 500
TURN = 2.0  # seconds that a turn takes, and those between two looks
REST = 60.0

log = logging.getLogger("coordinator.search")

Known = dict[str, tuple[Any, ...]]
"""The files of a root that are indexed: id, digest, size, time and embedder, by their paths."""


def roots() -> list[trees.Root]:
    return [trees.Root(name, Path(folder)) for name, folder in settings.SEARCH_ROOTS]


def writer() -> Writer:
    """That of the embedder of the settings, if the database can have its vectors."""
    embedder = embedders.current()
    if embedder is not None and not vectors.install(embedder.dimensions):
        embedder = None
    return Writer(embedder)


@dataclass(slots=True)
class Look:
    """One look through all roots, which may take many turns."""

    writer: Writer
    roots: Sequence[trees.Root]
    besides: Sequence[Path] = ()
    files: int = 0
    changes: Changes = field(default_factory=Changes)
    seconds: float = 0.0
    steps: Iterator[None] = field(init=False)

    def __post_init__(self) -> None:
        self.steps = self._steps()

    def go_on(self, seconds: float) -> bool:
        """Look on for about so long; whether the look has come to its end."""
        started = time.monotonic()
        before = self.changes
        done = True
        for _ in self.steps:
            if time.monotonic() - started >= seconds:
                done = False
                break
        self.seconds += time.monotonic() - started
        took = time.monotonic() - started
        indexed.send(Look, source="tree", changes=self.changes - before, seconds=took)
        if done and (self.changes.pieces or self.changes.errors):
            index.tidy()
            self._note()
        return done

    def _steps(self) -> Iterator[None]:
        """Everything that is to be done, in steps of which none takes long."""
        yield from self._forget_roots()
        for root in self.roots:
            if not root.folder.is_dir():
                log.warning("A folder to search is not there.", extra={"root": root.name})
                continue
            known = _known(root)
            waiting: list[Text] = []
            for found in trees.files(root, self.besides):
                self.files += 1
                text = self._changed(root, found, known)
                if text is not None:
                    waiting.append(text)
                    if sum(len(one.pieces) for one in waiting) >= BATCH:
                        self.changes += self.writer.write(waiting)
                        waiting.clear()
                yield
            if waiting:
                self.changes += self.writer.write(waiting)
                yield
            yield from self._remove([row[0] for row in known.values()])

    def _changed(self, root: trees.Root, found: trees.Found, known: Known) -> Text | None:
        """The text of a file that is not indexed as it is; takes it out of `known`."""
        row = known.pop(found.path, None)
        same_maker = row is not None and row[4] == self.writer.name
        if row is not None and same_maker and row[2:4] == (found.size, found.changed):
            return None
        content = trees.read(root, found.path)
        if content is None:
            if row is not None:
                known[found.path] = row  # it goes with those that are gone
            return None
        digest = hashlib.sha256(content.encode()).hexdigest()
        if row is not None and same_maker and row[1] == digest:
            File.objects.filter(pk=row[0]).update(size=found.size, changed=found.changed)
            return None
        return index.text_of(root, found, content, digest)

    def _remove(self, gone: Sequence[int]) -> Iterator[None]:
        for start in range(0, len(gone), BATCH):
            self.changes += index.remove(gone[start : start + BATCH])
            yield

    def _forget_roots(self) -> Iterator[None]:
        """Take out what is of folders that are not searched any more.

        Who searches none leaves all to another coordinator on this database.
        """
        if not self.roots:
            return
        names = [root.name for root in self.roots]
        others = File.objects.filter(source=Source.TREE).exclude(root__in=names)
        yield from self._remove(list(others.values_list("pk", flat=True)))

    def _note(self) -> None:
        done = self.changes
        run = IndexRun.objects.create(
            started_at=timezone.now() - timedelta(seconds=self.seconds),
            seconds=round(self.seconds, 3),
            files=self.files,
            added=done.added,
            updated=done.updated,
            deleted=done.deleted,
            errors=done.errors,
        )
        IndexRun.objects.filter(pk__lte=run.pk - KEPT_RUNS).delete()


def _known(root: trees.Root) -> Known:
    rows = File.objects.filter(source=Source.TREE, root=root.name).values_list(
        "path", "id", "digest", "size", "changed", "embedder"
    )
    return {path: (*row,) for path, *row in rows}


def besides() -> list[Path]:
    """Folders that are never indexed, whatever contains them: the coordinator's own data."""
    objects = str(settings.OBJECT_STORE["base_path"])
    return [Path(settings.COORDINATOR_DATA_DIR), *([Path(objects)] if objects else [])]


class TreeIndexer:
    """Looks through the roots in turns of a few seconds, so that other passes have theirs."""

    def __init__(self) -> None:
        self.look: Look | None = None
        self.rest_until = 0.0

    def run(self) -> int:
        """One turn; returns how many pieces were changed."""
        if self.look is None:
            if time.monotonic() < self.rest_until:
                return 0
            self.look = Look(writer(), roots(), besides())
        before = self.look.changes
        look, self.look = self.look, None  # begun anew, should this fail
        done = look.go_on(TURN)
        if done:
            self.rest_until = time.monotonic() + max(REST, look.seconds * 20)
        else:
            self.look = look
        return (look.changes - before).pieces


def all_at_once() -> Look:
    """Look through everything until it is done."""
    look = Look(writer(), roots(), besides())
    while not look.go_on(60.0):
        pass
    if look.changes.pieces:
        with connection.cursor() as cursor:  # the loop's own pass does it a little later
            cursor.execute("ANALYZE search_file, search_chunk, search_term")
    return look
