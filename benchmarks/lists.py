"""Rows by the million, as the engine would have left them, to measure lists."""

from django.db import connection, transaction

FILL = """
INSERT INTO tasks_channel (id, name, description)
SELECT md5('channel' || n)::uuid, 'list-channel-' || n, '' FROM generate_series(1, 10) n;

INSERT INTO agents_agent (id) SELECT 'list-agent-' || n FROM generate_series(1, 500) n;

INSERT INTO chains_chain (id, channel_id, name, description, status, on_failure, owner_id)
SELECT uuidv7(make_interval(secs => n * 0.001)), md5('channel' || (n %% 10 + 1))::uuid,
  'chain ' || n, '',
  CASE WHEN n <= 400 THEN 'in_progress' WHEN n %% 4 = 0 THEN 'queued' ELSE 'done' END, 'continue',
  CASE WHEN n <= 400 THEN 'list-agent-' || n END
FROM generate_series(1, %(chains)s) n;

INSERT INTO jobs_job (id, kind, name, specification, priority, idempotency_key, total, completed,
  failed, cancelled, status)
SELECT ('018f0000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'sweep', 'sweep ' || n,
  '{}', 0, '', 10, 9, 1, 0,
  CASE WHEN n %% 10 = 0 THEN 'RUNNING' ELSE 'COMPLETED' END
FROM generate_series(1, %(jobs)s) n;

INSERT INTO tasks_task (id, channel_id, chain_id, job_id, sequence, blocked, status, agent_id,
  last_holder, finished_at, claimed_at, dead_letter, fail_reason, title, created_at, queue_at,
  priority, description, type, session_token, payload, execution_mode, idempotency_key,
  lease_epoch, closed_epoch, attempts, max_attempts, losses)
SELECT uuidv7(at - now()), channel, chain, job, sequence,
  chain IS NOT NULL AND status = 'queued' AND sequence > 1, status,
  CASE WHEN status IN ('in_progress', 'done') THEN holder END,
  CASE WHEN status IN ('queued', 'cancelled') THEN '' ELSE holder END,
  CASE WHEN status IN ('done', 'failed', 'cancelled') THEN at + interval '1 minute' END,
  CASE WHEN status IN ('in_progress', 'done', 'failed') THEN at END,
  CASE WHEN status = 'failed' THEN 'exhausted' ELSE '' END,
  CASE WHEN status = 'failed' THEN 'exit status 1' ELSE '' END,
  'task ' || n, at, at, n %% 5, '', '', '', '{"fopt": 1}', '', '', 1, 1, 0, 3, 0
FROM (
  SELECT n, md5('channel' || (n %% 10 + 1))::uuid AS channel, c.id AS chain,
    CASE WHEN n %% 5 = 1 THEN
      ('018f0000-0000-7000-8000-' || lpad((n / 50 + 1)::text, 12, '0'))::uuid END AS job,
    CASE WHEN c.id IS NULL THEN 0 ELSE step END AS sequence,
    'list-agent-' || (n %% 500 + 1) AS holder,
    now() - interval '20 days' * (%(tasks)s - n) / %(tasks)s AS at,
    CASE
      WHEN c.id IS NOT NULL THEN
        CASE c.status WHEN 'done' THEN 'done' ELSE 'queued' END
      WHEN n %% 100 < 10 THEN 'queued' WHEN n %% 100 < 15 THEN 'failed'
      WHEN n %% 100 < 20 THEN 'cancelled' WHEN n %% 1000 = 999 THEN 'in_progress' ELSE 'done'
    END AS status
  FROM generate_series(1, %(tasks)s) n
  LEFT JOIN (
    SELECT id, status, row_number() OVER (ORDER BY id) AS number FROM chains_chain
  ) c ON n %% 5 = 0 AND c.number = (n / 5 - 1) / 10 + 1
  CROSS JOIN LATERAL (SELECT (n / 5 - 1) %% 10 + 1 AS step) s
) made;

INSERT INTO events_event (created_at, type, agent_id, task_id, chain_id, channel_id, actor)
SELECT t.created_at, CASE e WHEN 1 THEN 'task.queued' ELSE 'task.completed' END,
  CASE e WHEN 2 THEN NULLIF(t.last_holder, '') END, t.id::text, t.chain_id, t.channel_id, 'tests'
FROM tasks_task t, generate_series(1, 2) e WHERE t.priority > 2 OR e = 1;
"""
TABLES = ("tasks_task", "events_event", "chains_chain", "jobs_job", "agents_agent", "tasks_channel")


def fill(tasks: int) -> None:
    """Make so many tasks, a fifth of them in chains of ten, another in jobs, and their journal."""
    with connection.cursor() as cursor:
        with transaction.atomic():
            cursor.execute("SET LOCAL session_replication_role = replica")  # no journal, no checks
            # VACUUM marks pages as visible to all only when their commit is on disk.
            cursor.execute("SET LOCAL synchronous_commit = on")
            sizes = {"tasks": tasks, "chains": tasks // 50, "jobs": tasks // 50 + 1}
            cursor.execute(FILL, sizes)
        for table in TABLES:
            cursor.execute(f"VACUUM ANALYZE {table}")
