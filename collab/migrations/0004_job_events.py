"""The view `job_events`: the journal as far as it is about Collab jobs, in seed 003's words."""

from django.db import migrations

# `seq` counts the events of a job that the journal still has; who asks for one job reads only those.
# Only the coordinator's own events are of tasks that there are, so only their ids are read as such.
VIEW = """CREATE VIEW job_events AS
SELECT e.id, e.task_id AS job_id,
  row_number() OVER (PARTITION BY e.task_id ORDER BY e.id) AS seq,
  CASE e.type
    WHEN 'task.created' THEN 'queued'
    WHEN 'task.claimed' THEN 'assigned'
    WHEN 'task.completed' THEN 'succeeded'
    WHEN 'task.failed' THEN 'failed_dlq'
    WHEN 'task.retried' THEN CASE e.payload ->> 'outcome'
      WHEN 'expired' THEN 'lease_expired'
      WHEN 'lost' THEN 'lease_expired'
      WHEN 'released' THEN 'released'
      WHEN 'refused' THEN 'released'
      ELSE 'retry_scheduled' END
    ELSE substr(e.type, 6) END AS event_type,
  e.payload, e.actor, COALESCE(NULLIF(t.trace, ''), e.task_id) AS correlation_id, e.created_at
FROM events_event e LEFT JOIN tasks_task t ON t.id =
  CASE WHEN e.source = 'coordinator' AND e.type LIKE 'task.%' THEN e.task_id::uuid END
WHERE e.source = 'coordinator' AND e.type LIKE 'task.%' AND e.task_id IS NOT NULL
  AND e.job_id IS NULL AND t.job_id IS NULL"""


class Migration(migrations.Migration):

    dependencies = [
        ("collab", "0003_functions"),
        ('events', '0005_event_of_rare_type'),
        ('tasks', '0013_tallies'),
    ]

    operations = [migrations.RunSQL(VIEW, "DROP VIEW job_events")]
