"""Jobs, and the tallies by which they count their tasks."""

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models

# Seed 004's words; what they follow from is said in the architecture under "Jobs". A job that began
# and whose tasks are all gone lost them as dead letters, so it has failed.
STATUS = """CREATE FUNCTION jobs_status(
  total bigint, completed bigint, failed bigint, cancelled bigint, started bool, asked bool
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE
  WHEN total = 0 AND NOT started THEN 'PENDING'
  WHEN completed + failed + cancelled < total
    THEN CASE WHEN started OR completed + failed + cancelled > 0 THEN 'RUNNING' ELSE 'PENDING' END
  WHEN asked THEN 'CANCELLED'
  WHEN completed > 0 THEN 'COMPLETED'
  WHEN failed > 0 OR total = 0 THEN 'FAILED'
  ELSE 'CANCELLED' END;"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tasks', '0002_task_storage'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(STATUS, "DROP FUNCTION jobs_status;"),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('sweep', 'Sweep'), ('command', 'Command')], max_length=16)),
                ('name', models.CharField(blank=True, default='', max_length=200)),
                ('specification', models.JSONField(default=dict)),
                ('priority', models.IntegerField(default=0, help_text='Of its tasks; higher runs first.')),
                ('idempotency_key', models.CharField(blank=True, default='', max_length=200)),
                ('total', models.IntegerField(default=0)),
                ('completed', models.IntegerField(default=0)),
                ('failed', models.IntegerField(default=0)),
                ('cancelled', models.IntegerField(default=0)),
                ('status', models.CharField(choices=[('PENDING', 'Pending'), ('RUNNING', 'Running'), ('COMPLETED', 'Completed'), ('FAILED', 'Failed'), ('CANCELLED', 'Cancelled')], default='PENDING', max_length=16)),
                ('cancel_asked_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='jobs', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('total', models.IntegerField(default=0)),
                ('completed', models.IntegerField(default=0)),
                ('failed', models.IntegerField(default=0)),
                ('cancelled', models.IntegerField(default=0)),
                ('started', models.BooleanField(default=False)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('job', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='tallies', to='jobs.job')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('status__in', ['PENDING', 'RUNNING'])), fields=['id'], name='job_open'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.UniqueConstraint(condition=models.Q(('idempotency_key', ''), _negated=True), fields=('kind', 'idempotency_key'), name='job_key_is_unique'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='job',
            trigger=pgtrigger.compiler.Trigger(name='journal_created', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO events_event (source, type, job_id, payload, actor, reason, request_id) SELECT 'coordinator', 'job.created', n.id::text, jsonb_build_object('to', n.status, 'kind', n.kind, 'name', n.name), COALESCE(NULLIF(current_setting('coordinator.actor', true), ''), current_user), COALESCE(current_setting('coordinator.reason', true), ''), COALESCE(current_setting('coordinator.request_id', true), '') FROM new_rows n; RETURN NULL;", hash='44229e759d65f827b460c8b9018c7f4968a31270', level='STATEMENT', operation='INSERT', pgid='pgtrigger_journal_created_592ab', referencing='REFERENCING NEW TABLE AS new_rows ', table='jobs_job', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='job',
            trigger=pgtrigger.compiler.Trigger(name='journal_changed', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO events_event (source, type, job_id, payload, actor, reason, request_id) SELECT 'coordinator', CASE WHEN n.status <> 'RUNNING' THEN 'job.' || lower(n.status) WHEN o.status = 'PENDING' THEN 'job.started' ELSE 'job.reopened' END, n.id::text, jsonb_build_object('from', o.status, 'to', n.status, 'total', n.total, 'completed', n.completed, 'failed', n.failed, 'cancelled', n.cancelled), COALESCE(NULLIF(current_setting('coordinator.actor', true), ''), current_user), COALESCE(current_setting('coordinator.reason', true), ''), COALESCE(current_setting('coordinator.request_id', true), '') FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE n.status <> o.status; INSERT INTO events_event (source, type, job_id, payload, actor, reason, request_id) SELECT 'coordinator', 'job.cancel_asked', n.id::text, jsonb_build_object('status', n.status), COALESCE(NULLIF(current_setting('coordinator.actor', true), ''), current_user), COALESCE(current_setting('coordinator.reason', true), ''), COALESCE(current_setting('coordinator.request_id', true), '') FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE n.cancel_asked_at IS NOT NULL AND o.cancel_asked_at IS NULL; RETURN NULL;", hash='96b3944a432884f6899fc9dc5c4304930af2502d', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_journal_changed_e7bc4', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='jobs_job', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='job',
            trigger=pgtrigger.compiler.Trigger(name='journal_deleted', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO events_event (source, type, job_id, payload, actor, reason, request_id) SELECT 'coordinator', 'job.deleted', o.id::text, jsonb_build_object('from', o.status), COALESCE(NULLIF(current_setting('coordinator.actor', true), ''), current_user), COALESCE(current_setting('coordinator.reason', true), ''), COALESCE(current_setting('coordinator.request_id', true), '') FROM old_rows o; RETURN NULL;", hash='c4511bad9b3fd31d90d78c2875b35c7651f8a050', level='STATEMENT', operation='DELETE', pgid='pgtrigger_journal_deleted_0e3bd', referencing='REFERENCING OLD TABLE AS old_rows ', table='jobs_job', when='AFTER')),
        ),
    ]
