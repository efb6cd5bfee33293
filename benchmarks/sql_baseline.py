"""The same work in SQL alone: pgbench on the coordinator's own tables.

What an expert would write by hand: a claim and a completion, each one statement and one
transaction, prepared. They write the same rows as the coordinator does, and the same triggers
write the journal. Each client is an agent of its own.
"""

import os
import re
import subprocess
from math import ceil
from pathlib import Path
from uuid import UUID

import psycopg

from benchmarks.coordinator import Coordinator, CoordinatorFailed
from benchmarks.machine import Meter
from benchmarks.queue import RESULT
from benchmarks.results import AGENTS, Speed
from coordinator_project import cluster

AGENT = "'sql-' || :client_id::text"  # as a script of pgbench writes it
SUMMARY = {
    "ended": re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE),
    "failed": re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE),
    "per_second": re.compile(r"^tps = ([\d.]+)", re.MULTILINE),
}


def script(channel: UUID, batch: int) -> str:
    """What one client does in one cycle, as pgbench reads it."""
    if batch == 1:
        return f"""{_claim(channel, 1)} RETURNING id AS task, lease_epoch AS epoch, payload \\gset
{_complete()}
WHERE id = :task AND lease_epoch = :epoch AND status = 'in_progress' AND agent_id = {AGENT};
"""
    return f"""WITH claimed AS ({_claim(channel, batch)} RETURNING id, lease_epoch, payload)
SELECT array_agg(id) AS tasks, array_agg(lease_epoch) AS epochs, jsonb_agg(payload) AS payloads
FROM claimed \\gset
{_complete()}
FROM unnest(:tasks::uuid[], :epochs::bigint[]) AS h (id, epoch)
WHERE t.id = h.id AND t.lease_epoch = h.epoch AND t.status = 'in_progress'
  AND t.agent_id = {AGENT};
"""  # noqa: S608


def _claim(channel: UUID, batch: int) -> str:
    # The array keeps PostgreSQL to one walk of the index, whatever the statistics say.
    return f"""UPDATE tasks_task SET
  status = 'in_progress', agent_id = {AGENT}, last_holder = {AGENT},
  lease_epoch = lease_epoch + 1, lease_seconds = NULL, lease_expires_at = NULL,
  claimed_at = now(), updated_at = now()
WHERE id = ANY (ARRAY(
  SELECT id FROM tasks_task
  WHERE channel_id = '{channel}' AND free AND chain_id IS NULL AND requirement_id IS NULL
  ORDER BY priority DESC, queue_at, sequence, id
  LIMIT {batch} FOR NO KEY UPDATE SKIP LOCKED))"""  # noqa: S608


def _complete() -> str:
    return f"""UPDATE tasks_task t SET
  status = 'done', result = '{RESULT}', fail_reason = '', losses = 0, closed_epoch = t.lease_epoch,
  lease_expires_at = NULL, finished_at = now(), updated_at = now()"""  # noqa: S608


def register(db: psycopg.Connection) -> None:
    """Make the agents as which the clients work."""
    db.execute(
        "INSERT INTO agents_agent (id) SELECT 'sql-' || n FROM generate_series(0, %s) n"
        " ON CONFLICT DO NOTHING",
        [AGENTS - 1],
    )


def cycles(coordinator: Coordinator, file: Path, seconds: float, batch: int) -> Speed:
    """Run the cycle of the script in `file` for some seconds; how fast it went."""
    meter = Meter({"postgres": coordinator.postgres})
    meter.start()
    ended, per_second = pgbench(coordinator, file, AGENTS, "-T", str(ceil(seconds)))
    return Speed(ended, ended / per_second, batch, meter.stop())


def pgbench(coordinator: Coordinator, file: Path, clients: int, *limit: str) -> tuple[int, float]:
    """Run the script until the limit; the number of transactions, and of those in a second."""
    address = psycopg.conninfo.conninfo_to_dict(coordinator.url)
    environment = os.environ | {
        "PGHOST": str(address["host"]),
        "PGPORT": str(address["port"]),
        "PGUSER": str(address["user"]),
        "PGPASSWORD": str(address["password"]),
        "PGDATABASE": str(address["dbname"]),
        "PGOPTIONS": "-c plan_cache_mode=force_generic_plan",
    }
    command = [
        str(cluster.installed() / "pgbench"),
        *("-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-f", str(file)),
        *limit,
    ]
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, check=False
    )
    summary = {
        name: found[1] for name, line in SUMMARY.items() if (found := line.search(done.stdout))
    }
    if done.returncode or len(summary) < len(SUMMARY) or summary["failed"] != "0":
        raise CoordinatorFailed(f"pgbench: {done.stderr or done.stdout}")
    return int(summary["ended"]), float(summary["per_second"])
