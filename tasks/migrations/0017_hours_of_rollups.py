from django.db import migrations

# The hours of the week before, as the tallies have counted them. What is shorter begins now.
COUNTS = """
INSERT INTO tasks_taskrollup (span, at, channel_id, done, failed, cancelled, waiting, running)
SELECT 3600, hour, channel_id,
  COALESCE(sum(count) FILTER (WHERE target = 'done'), 0),
  COALESCE(sum(count) FILTER (WHERE event = 'task.failed'), 0),
  COALESCE(sum(count) FILTER (WHERE target = 'cancelled'), 0),
  COALESCE(sum(count) FILTER (WHERE target = 'queued'), 0)
    - COALESCE(sum(count) FILTER (WHERE source = 'queued'), 0),
  COALESCE(sum(count) FILTER (WHERE target = 'in_progress'), 0)
    - COALESCE(sum(count) FILTER (WHERE source = 'in_progress'), 0)
FROM tasks_tasktally
WHERE hour >= now() - interval '8 days' AND (source <> '' OR target <> '')
GROUP BY GROUPING SETS ((hour, channel_id), (hour))
ON CONFLICT DO NOTHING
"""
WAITS = """
INSERT INTO tasks_waitrollup (span, at, channel_id, bucket, count)
SELECT 3600, hour, channel_id, bucket, sum(count) FROM tasks_tasktiming
WHERE hour >= now() - interval '8 days' AND phase = 'queue'
GROUP BY GROUPING SETS ((hour, channel_id, bucket), (hour, bucket))
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0016_rollups'),
    ]

    operations = [
        migrations.RunSQL(COUNTS, migrations.RunSQL.noop),
        migrations.RunSQL(WAITS, migrations.RunSQL.noop),
    ]
