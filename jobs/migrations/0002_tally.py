"""The triggers by which jobs count their tasks."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0001_job'),
        ('tasks', '0003_requirement'),
    ]

    operations = [
        migrations.CreateModel(
            name='CountedTask',
            fields=[
            ],
            options={
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('tasks.task',),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='countedtask',
            trigger=pgtrigger.compiler.Trigger(name='tally_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO jobs_tally (job_id, total, completed, failed, cancelled, started, at) SELECT n.job_id, count(*), sum((n.status = 'done')::int), sum((n.status = 'failed')::int), sum((n.status = 'cancelled')::int), bool_or(n.status <> 'queued'), clock_timestamp() FROM new_rows n WHERE n.job_id IS NOT NULL GROUP BY n.job_id; RETURN NULL;", hash='6d6bedb596060bab3e4c256abff43667aa26182e', level='STATEMENT', operation='INSERT', pgid='pgtrigger_tally_insert_41b70', referencing='REFERENCING NEW TABLE AS new_rows ', table='tasks_task', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='countedtask',
            trigger=pgtrigger.compiler.Trigger(name='tally_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO jobs_tally (job_id, total, completed, failed, cancelled, started, at) SELECT COALESCE(n.job_id, o.job_id), 0, sum((n.status = 'done')::int - (o.status = 'done')::int), sum((n.status = 'failed')::int - (o.status = 'failed')::int), sum((n.status = 'cancelled')::int - (o.status = 'cancelled')::int), bool_or('in_progress' IN (n.status, o.status)), clock_timestamp() FROM new_rows n FULL JOIN old_rows o ON o.id = n.id WHERE COALESCE(n.job_id, o.job_id) IS NOT NULL AND n.status IS DISTINCT FROM o.status AND (n.status IN ('done', 'failed', 'cancelled') OR o.status IN ('done', 'failed', 'cancelled') OR (n.status = 'in_progress' AND EXISTS (SELECT FROM jobs_job j WHERE j.id = n.job_id AND j.started_at IS NULL))) GROUP BY 1; RETURN NULL;", hash='a156151aafb5be797730ec9dae69ca3c5d50583c', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_tally_update_64457', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='tasks_task', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='countedtask',
            trigger=pgtrigger.compiler.Trigger(name='tally_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO jobs_tally (job_id, total, completed, failed, cancelled, started, at) SELECT o.job_id, -count(*), sum(-(o.status = 'done')::int), sum(-(o.status = 'failed')::int), sum(-(o.status = 'cancelled')::int), false, clock_timestamp() FROM old_rows o WHERE o.job_id IS NOT NULL GROUP BY o.job_id; RETURN NULL;", hash='b940ee7fe56f987c9a6bd54a9b1a191ea3248720', level='STATEMENT', operation='DELETE', pgid='pgtrigger_tally_delete_1a047', referencing='REFERENCING OLD TABLE AS old_rows ', table='tasks_task', when='AFTER')),
        ),
    ]
