"""Dead letters of tasks that failed before there was a trigger to write them."""

from django.db import migrations

SO_FAR = """INSERT INTO collab_deadletter
    (task_id, reason_code, stage, attempts, last_owner, created_at, retries)
  SELECT id, CASE dead_letter WHEN 'exhausted' THEN 'exhausted_retries'
      WHEN 'not_retriable' THEN 'validation_failed'
      WHEN 'lease_expired' THEN 'timeout'
      WHEN 'agents_lost' THEN 'infrastructure_failure'
      WHEN 'timeout' THEN 'timeout'
      ELSE 'dependency_unavailable' END,
    'exec', attempts, last_holder, finished_at, 0
  FROM tasks_task WHERE status = 'failed' AND job_id IS NULL
  ORDER BY finished_at, id
  ON CONFLICT DO NOTHING"""


class Migration(migrations.Migration):

    dependencies = [
        ('collab', '0001_collab'),
    ]

    operations = [migrations.RunSQL(SO_FAR, migrations.RunSQL.noop)]
