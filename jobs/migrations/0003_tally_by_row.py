"""Tallies of single changes are written row by row."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0002_tally'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='countedtask',
            name='tally_update',
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='countedtask',
            trigger=pgtrigger.compiler.Trigger(name='tally_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (NEW.job_id IS NOT NULL)', func="IF NEW.status <> OLD.status AND (NEW.status IN ('done', 'failed', 'cancelled') OR OLD.status IN ('done', 'failed', 'cancelled') OR (NEW.status = 'in_progress' AND EXISTS (\n  SELECT FROM jobs_job j WHERE j.id = NEW.job_id AND j.started_at IS NULL))) THEN INSERT INTO jobs_tally (job_id, total, completed, failed, cancelled, started, at) VALUES (NEW.job_id, 0, (NEW.status = 'done')::int - (OLD.status = 'done')::int, (NEW.status = 'failed')::int - (OLD.status = 'failed')::int, (NEW.status = 'cancelled')::int - (OLD.status = 'cancelled')::int,\n  'in_progress' IN (NEW.status, OLD.status), clock_timestamp()); END IF; RETURN NULL;", hash='9af7497483f6c441b673671be4c7661b38a0394c', operation='UPDATE', pgid='pgtrigger_tally_update_64457', table='tasks_task', when='AFTER')),
        ),
    ]
