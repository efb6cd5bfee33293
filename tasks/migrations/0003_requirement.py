"""Which agents may have a task, why it failed, when it is tried again; and its job."""

import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

# The pause after so many attempts: it doubles, up to a minute, and is cut by up to a fifth by
# chance, so that tasks which failed together do not come back together.
RETRY_DELAY = """CREATE FUNCTION tasks_retry_delay(seconds int, attempts int) RETURNS interval
LANGUAGE sql VOLATILE RETURN make_interval(secs =>
  LEAST(60, seconds * 2 ^ LEAST(GREATEST(attempts - 1, 0), 9)) * (1 - random() / 5));"""

NAME_DEAD_LETTERS = """UPDATE tasks_task SET dead_letter = CASE
    WHEN fail_reason = 'agent lost' THEN 'agents_lost'
    WHEN fail_reason = 'lease expired' THEN 'lease_expired'
    WHEN attempts >= max_attempts THEN 'exhausted'
    ELSE 'not_retriable' END
  WHERE status = 'failed';"""


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0003_agent_offers'),
        ('chains', '0002_chain_channel_and_owner'),
        ('jobs', '0001_job'),
        ('tasks', '0002_task_storage'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Requirement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('wants', models.JSONField(default=dict, help_text='Value by key; see Agent.offers.')),
                ('refused_by', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), default=list, size=None)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='task',
            name='journal_created',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='task',
            name='journal_changed',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='task',
            name='journal_deleted',
        ),
        migrations.RemoveIndex(
            model_name='task',
            name='task_free_in_order',
        ),
        migrations.AddField(
            model_name='task',
            name='dead_letter',
            field=models.CharField(blank=True, choices=[('exhausted', 'Exhausted'), ('not_retriable', 'Not Retriable'), ('lease_expired', 'Lease Expired'), ('agents_lost', 'Agents Lost'), ('unsupported', 'Unsupported')], db_default='', default='', help_text='Why it failed for good.', max_length=16),
        ),
        migrations.AddField(
            model_name='task',
            name='job',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='jobs.job'),
        ),
        migrations.AddField(
            model_name='task',
            name='postponed',
            field=models.BooleanField(default=False, db_default=False, help_text='Waits for `available_at`; the coordinator ends that.'),
        ),
        migrations.AddField(
            model_name='task',
            name='retry_delay_seconds',
            field=models.PositiveIntegerField(default=0, db_default=0, help_text='Pause before the second attempt; it doubles, up to a minute.'),
        ),
        migrations.AlterField(
            model_name='attempt',
            name='outcome',
            field=models.CharField(choices=[('failed', 'Failed'), ('expired', 'Expired'), ('lost', 'Lost'), ('detached', 'Detached'), ('refused', 'Refused'), ('reset', 'Reset')], max_length=16),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='task',
            trigger=pgtrigger.compiler.Trigger(name='journal_created', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO events_event (source, type, task_id, job_id, chain_id, channel_id, payload, actor, reason, request_id) SELECT 'coordinator', 'task.created', n.id::text, n.job_id::text, n.chain_id, n.channel_id, jsonb_build_object('to', n.status), COALESCE(NULLIF(current_setting('coordinator.actor', true), ''), current_user), COALESCE(current_setting('coordinator.reason', true), ''), COALESCE(current_setting('coordinator.request_id', true), '') FROM new_rows n ORDER BY n.id; RETURN NULL;", hash='8bcd9762075a1739228652d9e8b51869b72d2196', level='STATEMENT', operation='INSERT', pgid='pgtrigger_journal_created_d0333', referencing='REFERENCING NEW TABLE AS new_rows ', table='tasks_task', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='task',
            trigger=pgtrigger.compiler.Trigger(name='journal_changed', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO events_event (source, type, agent_id, task_id, job_id, chain_id, channel_id, payload, actor, reason, request_id) SELECT 'coordinator', CASE\n    WHEN n.status = 'in_progress' THEN 'task.claimed'\n    WHEN n.status = 'done' AND o.status = 'locked' THEN 'task.unlocked'\n    WHEN n.status = 'done' THEN 'task.completed'\n    WHEN n.status = 'failed' THEN 'task.failed'\n    WHEN n.status = 'locked' THEN 'task.locked'\n    WHEN n.status = 'cancelled' THEN 'task.cancelled'\n    WHEN o.status = 'locked' THEN 'task.unlocked'\n    WHEN o.status = 'failed' THEN 'task.requeued'\n    ELSE 'task.retried' END, COALESCE(n.agent_id, o.agent_id), n.id::text, n.job_id::text, n.chain_id, n.channel_id, jsonb_build_object('from', o.status, 'to', n.status, 'lease_epoch', n.lease_epoch), COALESCE(NULLIF(current_setting('coordinator.actor', true), ''), current_user), COALESCE(current_setting('coordinator.reason', true), ''), COALESCE(current_setting('coordinator.request_id', true), '') FROM new_rows n FULL JOIN old_rows o ON o.id = n.id WHERE n.status IS DISTINCT FROM o.status ORDER BY n.status = 'in_progress', n.id; RETURN NULL;", hash='aa27d70fb7efedd0cfaa1c10a8e137b2e346726f', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_journal_changed_e60d0', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='tasks_task', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='task',
            trigger=pgtrigger.compiler.Trigger(name='journal_deleted', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO events_event (source, type, agent_id, task_id, job_id, chain_id, channel_id, payload, actor, reason, request_id) SELECT 'coordinator', 'task.deleted', o.agent_id, o.id::text, o.job_id::text, o.chain_id, o.channel_id, jsonb_build_object('from', o.status), COALESCE(NULLIF(current_setting('coordinator.actor', true), ''), current_user), COALESCE(current_setting('coordinator.reason', true), ''), COALESCE(current_setting('coordinator.request_id', true), '') FROM old_rows o ORDER BY o.id; RETURN NULL;", hash='d6966ffc8a95d5b1e3cc49732459b9e6499097b0', level='STATEMENT', operation='DELETE', pgid='pgtrigger_journal_deleted_88cd7', referencing='REFERENCING OLD TABLE AS old_rows ', table='tasks_task', when='AFTER')),
        ),
        migrations.AddConstraint(
            model_name='requirement',
            constraint=models.UniqueConstraint(fields=('wants', 'refused_by'), name='requirement_is_unique'),
        ),
        migrations.AddField(
            model_name='task',
            name='requirement',
            field=models.ForeignKey(blank=True, db_index=False, help_text='Which agents may have it; empty for all.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='tasks', to='tasks.requirement'),
        ),
        migrations.AddField(
            model_name='task',
            name='free',
            field=models.GeneratedField(db_persist=True, expression=models.Q(('blocked', False), ('postponed', False), ('status', 'queued'), ('type', ''), ('reserved_for', None)), help_text='A claim may give it to anybody who meets its requirement.', output_field=models.BooleanField()),
        ),
        migrations.RunSQL(RETRY_DELAY, "DROP FUNCTION tasks_retry_delay;"),
        migrations.RunSQL(NAME_DEAD_LETTERS, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(models.F('channel'), models.OrderBy(models.F('priority'), descending=True), models.F('queue_at'), models.F('sequence'), models.F('id'), condition=models.Q(('chain', None), ('free', True), ('requirement', None)), name='task_free_alone'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(models.F('channel'), models.OrderBy(models.F('priority'), descending=True), models.F('queue_at'), models.F('sequence'), models.F('id'), condition=models.Q(('chain__isnull', False), ('free', True)), name='task_free_in_chain'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(models.F('channel'), models.F('requirement'), models.OrderBy(models.F('priority'), descending=True), models.F('queue_at'), models.F('sequence'), models.F('id'), condition=models.Q(('free', True), ('requirement__isnull', False)), name='task_free_for_some'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('postponed', True)), fields=['available_at'], name='task_postponed'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('job__isnull', False)), fields=['job', 'status', 'id'], name='task_job_progress'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('finished_at__isnull', False), ('job__isnull', False)), fields=['job', '-finished_at'], name='task_job_finished'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('dead_letter', ''), _negated=True), fields=['-finished_at', 'id'], name='task_dead_letter'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.CheckConstraint(condition=models.Q(('chain', None), models.Q(('job', None), ('requirement', None)), _connector='OR'), name='task_of_a_chain_has_no_job'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.CheckConstraint(condition=models.Q(('postponed', False), ('status', 'queued'), _connector='OR'), name='task_is_postponed_only_while_queued'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('dead_letter__in', ['exhausted', 'not_retriable', 'lease_expired', 'agents_lost', 'unsupported']), ('status', 'failed')), models.Q(models.Q(('status', 'failed'), _negated=True), ('dead_letter', '')), _connector='OR'), name='task_is_a_dead_letter_when_failed'),
        ),
        migrations.AlterField(
            model_name='taskinput',
            name='task',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='inputs', to='tasks.task'),
        ),
    ]
