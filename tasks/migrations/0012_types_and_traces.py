"""Claims of some types, traces of tasks, and more of what happened in events of tasks."""

import django.db.models.functions.comparison
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0007_agent_removed_journal'),
        ('chains', '0002_chain_channel_and_owner'),
        ('jobs', '0006_queue_outside'),
        ('tasks', '0011_commands_and_secrets'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='task',
            name='journal_created',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='task',
            name='journal_deleted',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='task',
            name='journal_changed',
        ),
        migrations.AddField(
            model_name='task',
            name='trace',
            field=models.CharField(blank=True, db_default='', default='', help_text="What it belongs to elsewhere: a W3C traceparent, or an id of the client's own.", max_length=200),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(models.F('channel'), django.db.models.functions.comparison.Collate('type', 'C'), models.OrderBy(models.F('priority'), descending=True), models.F('queue_at'), models.F('sequence'), models.F('id'), condition=models.Q(('chain', None), ('free', True), ('requirement', None), models.Q(('type', ''), _negated=True)), name='task_free_of_type'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='task',
            trigger=pgtrigger.compiler.Trigger(name='journal_created', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO events_event (source, type, task_id, job_id, chain_id, channel_id, payload, actor, reason, request_id) SELECT 'coordinator', 'task.created', n.id::text, n.job_id::text, n.chain_id, n.channel_id, CASE WHEN n.type = '' THEN jsonb_build_object('to', n.status) ELSE jsonb_build_object('to', n.status) || jsonb_build_object('type', n.type) END, COALESCE(NULLIF(current_setting('coordinator.actor', true), ''), current_user), COALESCE(current_setting('coordinator.reason', true), ''), COALESCE(current_setting('coordinator.request_id', true), '') FROM new_rows n ORDER BY n.id; RETURN NULL;", hash='9c36d43482784d7ea79df2e299d0dc33c25cbbb9', level='STATEMENT', operation='INSERT', pgid='pgtrigger_journal_created_d0333', referencing='REFERENCING NEW TABLE AS new_rows ', table='tasks_task', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='task',
            trigger=pgtrigger.compiler.Trigger(name='journal_changed', sql=pgtrigger.compiler.UpsertTriggerSql(func='IF (SELECT count(*) FROM new_rows) <= 50 THEN INSERT INTO events_event (source, type, agent_id, task_id, job_id, chain_id, channel_id, payload, actor, reason, request_id) SELECT \'coordinator\', \'{"queued in_progress": "task.claimed", "in_progress done": "task.completed", "failed done": "task.completed", "queued done": "task.completed", "in_progress failed": "task.failed", "queued failed": "task.failed", "in_progress queued": "task.retried", "in_progress locked": "task.locked", "locked queued": "task.unlocked", "locked done": "task.unlocked", "failed queued": "task.requeued", "in_progress cancelled": "task.cancelled", "locked cancelled": "task.cancelled", "queued cancelled": "task.cancelled"}\'::jsonb ->> (o.status || \' \' || n.status), COALESCE(n.agent_id, o.agent_id), n.id::text, n.job_id::text, n.chain_id, n.channel_id, CASE WHEN n.type = \'\' AND n.status IN (\'in_progress\', \'done\') THEN jsonb_build_object(\'from\', o.status, \'to\', n.status, \'lease_epoch\', n.lease_epoch) ELSE jsonb_build_object(\'from\', o.status, \'to\', n.status, \'lease_epoch\', n.lease_epoch) || jsonb_strip_nulls(jsonb_build_object(\'type\', NULLIF(n.type, \'\'),\n  \'dead_letter\', NULLIF(n.dead_letter, \'\'), \'outcome\', CASE WHEN o.status = \'in_progress\' AND n.status = \'queued\' THEN (\n  SELECT outcome FROM tasks_attempt a WHERE a.task_id = n.id AND a.epoch = n.lease_epoch) END)) END, COALESCE(NULLIF(current_setting(\'coordinator.actor\', true), \'\'), current_user), COALESCE(current_setting(\'coordinator.reason\', true), \'\'), COALESCE(current_setting(\'coordinator.request_id\', true), \'\') FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE n.status <> o.status ORDER BY n.status = \'in_progress\', n.id; ELSE INSERT INTO events_event (source, type, agent_id, task_id, job_id, chain_id, channel_id, payload, actor, reason, request_id) SELECT \'coordinator\', \'{"queued in_progress": "task.claimed", "in_progress done": "task.completed", "failed done": "task.completed", "queued done": "task.completed", "in_progress failed": "task.failed", "queued failed": "task.failed", "in_progress queued": "task.retried", "in_progress locked": "task.locked", "locked queued": "task.unlocked", "locked done": "task.unlocked", "failed queued": "task.requeued", "in_progress cancelled": "task.cancelled", "locked cancelled": "task.cancelled", "queued cancelled": "task.cancelled"}\'::jsonb ->> (o.status || \' \' || n.status), COALESCE(n.agent_id, o.agent_id), n.id::text, n.job_id::text, n.chain_id, n.channel_id, CASE WHEN n.type = \'\' AND n.status IN (\'in_progress\', \'done\') THEN jsonb_build_object(\'from\', o.status, \'to\', n.status, \'lease_epoch\', n.lease_epoch) ELSE jsonb_build_object(\'from\', o.status, \'to\', n.status, \'lease_epoch\', n.lease_epoch) || jsonb_strip_nulls(jsonb_build_object(\'type\', NULLIF(n.type, \'\'),\n  \'dead_letter\', NULLIF(n.dead_letter, \'\'), \'outcome\', CASE WHEN o.status = \'in_progress\' AND n.status = \'queued\' THEN (\n  SELECT outcome FROM tasks_attempt a WHERE a.task_id = n.id AND a.epoch = n.lease_epoch) END)) END, COALESCE(NULLIF(current_setting(\'coordinator.actor\', true), \'\'), current_user), COALESCE(current_setting(\'coordinator.reason\', true), \'\'), COALESCE(current_setting(\'coordinator.request_id\', true), \'\') FROM new_rows n FULL JOIN old_rows o ON o.id = n.id WHERE n.status IS DISTINCT FROM o.status ORDER BY n.status = \'in_progress\', n.id; END IF; RETURN NULL;', hash='5d4f3e3afdf7a336225e907a4fbf2c52e680a1dc', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_journal_changed_e60d0', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='tasks_task', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='task',
            trigger=pgtrigger.compiler.Trigger(name='journal_deleted', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO events_event (source, type, agent_id, task_id, job_id, chain_id, channel_id, payload, actor, reason, request_id) SELECT 'coordinator', 'task.deleted', o.agent_id, o.id::text, o.job_id::text, o.chain_id, o.channel_id, CASE WHEN o.type = '' THEN jsonb_build_object('from', o.status) ELSE jsonb_build_object('from', o.status) || jsonb_build_object('type', o.type) END, COALESCE(NULLIF(current_setting('coordinator.actor', true), ''), current_user), COALESCE(current_setting('coordinator.reason', true), ''), COALESCE(current_setting('coordinator.request_id', true), '') FROM old_rows o ORDER BY o.id; RETURN NULL;", hash='ab715773becf309a0c1dd92c35a6e06f2c18d897', level='STATEMENT', operation='DELETE', pgid='pgtrigger_journal_deleted_88cd7', referencing='REFERENCING OLD TABLE AS old_rows ', table='tasks_task', when='AFTER')),
        ),
    ]
