"""The tax of the tables: the same cycle in SQL on the coordinator's tables and on a bare one.

The bare table has the same kind of row, its primary key and one index in the order of the claim;
no triggers, no foreign keys, no checks and no journal.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import UUID

import psycopg
from psycopg import sql

from benchmarks import queue, sql_baseline
from benchmarks.coordinator import Coordinator
from benchmarks.cycles import ENOUGH, LEAST_SECONDS
from benchmarks.queue import PAYLOAD, RESULT
from benchmarks.results import Section, Speed, SpeedRatio, speed_heads
from benchmarks.run import Run
from benchmarks.sql_baseline import AGENT

OURS, BARE = "the coordinator's", "a bare one"
AT_LEAST = 0.5
LIVES = 1_000  # tasks whose whole life is weighed
SPARE = 2  # times the tasks of other legs: nobody's table is faster than the bare one

BARE_TABLE = """
CREATE TABLE bench_bare (
  id uuid PRIMARY KEY, channel_id uuid NOT NULL, title text NOT NULL, status varchar(16) NOT NULL,
  priority integer NOT NULL, queue_at timestamptz NOT NULL, agent_id varchar(200),
  lease_epoch bigint NOT NULL, payload jsonb NOT NULL, result jsonb,
  created_at timestamptz NOT NULL DEFAULT now(), claimed_at timestamptz, finished_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON bench_bare (channel_id, priority DESC, queue_at, id) WHERE status = 'queued';
"""


def measure(run: Run) -> list[Section]:
    """Cycles a second on both, and the bytes of WAL that a task's whole life takes."""
    ratio = SpeedRatio("claim and completion in SQL", AT_LEAST)
    weights: dict[str, list[tuple[float, float]]] = {OURS: [], BARE: []}
    lives = LIVES // 10 if run.quick else LIVES
    with run.coordinator("tables") as (coordinator, db):
        channel = coordinator.open_channel(queue.CHANNEL)
        sql_baseline.register(db)
        tables = {
            name: table(run.folder, coordinator, db, channel)
            for name, table in ((OURS, OurTable), (BARE, BareTable))
        }
        speeds = {OURS: ratio.speeds, BARE: ratio.reference}
        for turn in run.turns([OURS, BARE]):
            for name in turn:
                speeds[name].append(tables[name].cycles(run.seconds))
                run.say(f"  {name:<24}{speeds[name][-1]}")
                weights[name].append(tables[name].wal_per_life(lives))
                inserted, worked = weights[name][-1]
                run.say(f"  {'':<24}{inserted:,.0f} and {worked:,.0f} bytes of WAL for a task")
    return [
        Section(speed_heads(OURS, BARE), [ratio]),
        Section(
            ["a task's cost", OURS, BARE, "ratio"],
            [
                CostRow(
                    "processor time of its claim and completion, µs",
                    processor_time(ratio.speeds),
                    processor_time(ratio.reference),
                ),
                *wal_rows(weights),
            ],
        ),
    ]


@dataclass(frozen=True)
class CostRow:
    """What a task costs in either table."""

    name: str
    ours: float
    bare: float
    is_missed: bool = False

    def row(self) -> list[str]:
        return [self.name, f"{self.ours:,.0f}", f"{self.bare:,.0f}", f"{self.ours / self.bare:.1f}"]


def processor_time(speeds: Sequence[Speed]) -> float:
    """Microseconds of PostgreSQL for each cycle, which a busy machine hardly changes."""
    return median(speed.shares["postgres"] / speed.cycles * 1e6 for speed in speeds)


def wal_rows(weights: Mapping[str, Sequence[tuple[float, float]]]) -> list[CostRow]:
    """The parts of a task's life and the whole, from the weights of both parts in each round."""
    ours, bare = (
        [median(part) for part in (*zip(*weights[name], strict=True), map(sum, weights[name]))]
        for name in (OURS, BARE)
    )
    names = ("WAL of its insertion, bytes", "- of its claim and completion", "- of its whole life")
    return [CostRow(*row) for row in zip(names, ours, bare, strict=True)]


class OurTable:
    """The coordinator's tables, with journal and all."""

    name = "tasks_task"

    def __init__(
        self, folder: Path, coordinator: Coordinator, db: psycopg.Connection, channel: UUID
    ) -> None:
        self.file = folder / f"{self.name}.sql"
        self.coordinator = coordinator
        self.db = db
        self.channel = channel

    def cycles(self, seconds: float) -> Speed:
        """How fast four clients claim and complete what is queued."""
        self.refill(int(SPARE * ENOUGH[1] * max(seconds, LEAST_SECONDS)))
        self.file.write_text(self.cycle())
        return sql_baseline.cycles(self.coordinator, self.file, seconds, 1)

    def wal_per_life(self, lives: int) -> tuple[float, float]:
        """Bytes of WAL for the insertion of one task, and for its claim and completion, without
        images of pages."""
        self.refill(0)
        with _without_page_images(self.db):
            return self._wal_of(self.insertion(), lives), self._wal_of(self.cycle(), lives)

    def _wal_of(self, script: str, times: int) -> float:
        self.file.write_text(script)
        before = _wal_position(self.db)
        sql_baseline.pgbench(self.coordinator, self.file, 1, "-t", str(times))
        return (_wal_position(self.db) - before) / times

    def refill(self, tasks: int) -> None:
        queue.refill(self.db, self.channel, tasks)

    def cycle(self) -> str:
        return sql_baseline.script(self.channel, 1)

    def insertion(self) -> str:
        values = queue.QUEUED | {"channel_id": f"'{self.channel}'::uuid", "queue_at": "now()"}
        return queue.insert_statement(self.db, self.name, values, "(VALUES (1)) AS v (n)") + ";"


class BareTable(OurTable):
    """A table that is nothing but a queue, kept with the settings of the coordinator's."""

    name = "bench_bare"

    def __init__(
        self, folder: Path, coordinator: Coordinator, db: psycopg.Connection, channel: UUID
    ) -> None:
        super().__init__(folder, coordinator, db, channel)
        db.execute(sql.SQL(BARE_TABLE))
        row = db.execute(
            "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE relname = 'tasks_task'"
        ).fetchone()
        if row and row[0]:
            db.execute(sql.SQL(f"ALTER TABLE bench_bare SET ({row[0]})"))

    def refill(self, tasks: int) -> None:
        self.db.execute("TRUNCATE bench_bare")
        self.db.execute("CHECKPOINT")
        queued_at = queue.queue_at(tasks)
        self.db.execute(sql.SQL(f"{self._insert(queued_at)} FROM generate_series(1, {tasks}) AS n"))
        self.db.execute("VACUUM (ANALYZE) bench_bare")

    def insertion(self) -> str:
        return f"{self._insert('now()')} FROM (VALUES (1)) AS v (n);"

    def _insert(self, queued_at: str) -> str:
        return f"""INSERT INTO bench_bare
  (id, channel_id, title, status, priority, queue_at, lease_epoch, payload)
  SELECT uuidv7(), '{self.channel}', 'task ' || n, 'queued', 0, {queued_at}, 0, '{PAYLOAD}'"""

    def cycle(self) -> str:
        return f"""UPDATE bench_bare SET status = 'in_progress', agent_id = {AGENT},
  lease_epoch = lease_epoch + 1, claimed_at = now(), updated_at = now()
WHERE id = ANY (ARRAY(
  SELECT id FROM bench_bare WHERE channel_id = '{self.channel}' AND status = 'queued'
  ORDER BY priority DESC, queue_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED))
RETURNING id AS task, lease_epoch AS epoch, payload \\gset
UPDATE bench_bare SET status = 'done', result = '{RESULT}', finished_at = now(), updated_at = now()
WHERE id = :task AND lease_epoch = :epoch AND status = 'in_progress' AND agent_id = {AGENT};
"""  # noqa: S608


@contextmanager
def _without_page_images(db: psycopg.Connection) -> Iterator[None]:
    """A page's first change after a checkpoint is logged like any other, until the block ends."""
    db.execute("ALTER SYSTEM SET full_page_writes = off")
    _reload(db)
    try:
        yield
    finally:
        db.execute("ALTER SYSTEM RESET full_page_writes")
        _reload(db)


def _reload(db: psycopg.Connection) -> None:
    """Read the settings again; the checkpointer, which this one concerns, does so as it works."""
    db.execute("SELECT pg_reload_conf()")
    db.execute("SELECT pg_sleep(0.2)")
    db.execute("CHECKPOINT")


def _wal_position(db: psycopg.Connection) -> int:
    row = db.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
    return int(row[0]) if row else 0
