"""The same work straight in SQL: pgbench on the coordinator's own tables.

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
from benchmarks.line import RESULT
from benchmarks.machine import Meter
from benchmarks.results import AGENTS, Speed
from coordinator_project import cluster

AGENT = "sql-"
SAID = {
    "ended": re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE),
    "failed": re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE),
    "per_second": re.compile(r"^tps = ([\d.]+)", re.MULTILINE),
}

# The array keeps PostgreSQL to one walk of the index, whatever the statistics say.
CLAIM = """UPDATE tasks_task SET
  status = 'in_progress', agent_id = {agent}, last_holder = {agent},
  lease_epoch = lease_epoch + 1, lease_seconds = NULL, lease_expires_at = NULL,
  claimed_at = now(), updated_at = now()
WHERE id = ANY (ARRAY(
  SELECT id FROM tasks_task
  WHERE channel_id = '{channel}' AND free AND chain_id IS NULL AND requirement_id IS NULL
  ORDER BY priority DESC, queue_at, sequence, id
  LIMIT {batch} FOR NO KEY UPDATE SKIP LOCKED))"""

COMPLETE = """UPDATE tasks_task t SET
  status = 'done', result = '{result}', fail_reason = '', losses = 0, closed_epoch = t.lease_epoch,
  lease_expires_at = NULL, finished_at = now(), updated_at = now()"""

SINGLE = """{claim} RETURNING id AS task, lease_epoch AS epoch, payload \\gset
{complete}
WHERE id = :task AND lease_epoch = :epoch AND status = 'in_progress' AND agent_id = {agent};
"""

BATCH = """WITH claimed AS ({claim} RETURNING id, lease_epoch, payload)
SELECT array_agg(id) AS tasks, array_agg(lease_epoch) AS epochs, jsonb_agg(payload) AS payloads
FROM claimed \\gset
{complete}
FROM unnest(:tasks::uuid[], :epochs::bigint[]) AS h (id, epoch)
WHERE t.id = h.id AND t.lease_epoch = h.epoch AND t.status = 'in_progress'
  AND t.agent_id = {agent};
"""


def claim(channel: UUID, agent: str, batch: int = 1) -> str:
    """The claim's statement, without what it returns."""
    return CLAIM.format(channel=channel, agent=agent, batch=batch)


def script(channel: UUID, batch: int) -> str:
    """What one client does in one cycle, as pgbench reads it."""
    agent = f"'{AGENT}' || :client_id::text"
    return (SINGLE if batch == 1 else BATCH).format(
        claim=claim(channel, agent, batch), complete=COMPLETE.format(result=RESULT), agent=agent
    )


def register(db: psycopg.Connection) -> None:
    """Make the agents as whom the clients work."""
    names = [f"{AGENT}{number}" for number in range(AGENTS)]
    db.execute(
        "INSERT INTO agents_agent (id) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", [names]
    )


def cycles(coordinator: Coordinator, file: Path, seconds: float, batch: int) -> Speed:
    """Run the cycle of the script in `file` for some seconds; how fast it went."""
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
        *("-n", "-M", "prepared", "-c", str(AGENTS), "-j", "1"),
        *("-T", str(ceil(seconds)), "-f", str(file)),
    ]
    meter = Meter({"postgres": coordinator.postgres})
    meter.start()
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, check=False
    )
    shares = meter.stop()
    said = {name: found[1] for name, told in SAID.items() if (found := told.search(done.stdout))}
    if done.returncode or len(said) < len(SAID) or said["failed"] != "0":
        raise CoordinatorFailed(f"pgbench: {done.stderr or done.stdout}")
    ended = int(said["ended"])
    return Speed(ended, ended / float(said["per_second"]), batch, shares)
