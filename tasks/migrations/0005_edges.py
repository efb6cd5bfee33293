"""One trigger guards the edges and rules of tasks; fewer indexes; what agents must offer."""

import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

MARK_ASSIGN_ONLY = "UPDATE tasks_task SET assign_only = true WHERE type <> '';"


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0004_agent_draining_journal'),
        ('chains', '0002_chain_channel_and_owner'),
        ('jobs', '0003_tally_by_row'),
        ('tasks', '0004_pause'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='task',
            name='journal_changed',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='task',
            name='journal_priority',
        ),
        migrations.RemoveConstraint(
            model_name='requirement',
            name='requirement_is_unique',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_is_held_while_in_progress',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_is_leased_only_in_progress',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_is_finished_or_open',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_without_chain_stands_alone',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_is_reserved_only_while_open',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_closes_only_epochs_it_had',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_has_the_turn_alone',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_of_a_chain_runs_alone',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_of_a_chain_has_no_job',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_is_postponed_only_while_queued',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_is_a_dead_letter_when_failed',
        ),
        migrations.RemoveIndex(
            model_name='task',
            name='task_held_by',
        ),
        migrations.RemoveIndex(
            model_name='task',
            name='task_lease_expiry',
        ),
        migrations.RemoveIndex(
            model_name='task',
            name='task_status',
        ),
        migrations.RemoveIndex(
            model_name='task',
            name='task_job_progress',
        ),
        migrations.RemoveIndex(
            model_name='task',
            name='task_job_finished',
        ),
        migrations.AddField(
            model_name='requirement',
            name='requires',
            field=models.JSONField(db_default={}, default=dict, help_text='The same; a key not offered is not met.'),
        ),
        migrations.AddField(
            model_name='task',
            name='assign_only',
            field=models.BooleanField(db_default=False, default=False, help_text='Only an operator gives it to an agent.'),
        ),
        migrations.RunSQL(MARK_ASSIGN_ONLY, migrations.RunSQL.noop),
        migrations.RemoveIndex(model_name='task', name='task_free_alone'),
        migrations.RemoveIndex(model_name='task', name='task_free_in_chain'),
        migrations.RemoveIndex(model_name='task', name='task_free_for_some'),
        migrations.RemoveField(model_name='task', name='free'),
        migrations.AddField(
            model_name='task',
            name='free',
            field=models.GeneratedField(db_persist=True, expression=models.Q(('assign_only', False), ('blocked', False), ('postponed', False), ('status', 'queued'), ('reserved_for', None)), help_text='A claim may give it to anybody who meets its requirement.', output_field=models.BooleanField()),
        ),
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
        migrations.AlterField(
            model_name='task',
            name='attempts',
            field=models.IntegerField(default=0, help_text='Fails and expired leases so far.'),
        ),
        migrations.AlterField(
            model_name='task',
            name='lease_seconds',
            field=models.IntegerField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='task',
            name='losses',
            field=models.IntegerField(default=0, help_text='Agents lost in a row.'),
        ),
        migrations.AlterField(
            model_name='task',
            name='max_attempts',
            field=models.IntegerField(default=3),
        ),
        migrations.AlterField(
            model_name='task',
            name='queue_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='Its position in the queue.'),
        ),
        migrations.AlterField(
            model_name='task',
            name='retry_delay_seconds',
            field=models.IntegerField(db_default=0, default=0, help_text='Pause before the second attempt; it doubles, up to a minute.'),
        ),
        migrations.AlterField(
            model_name='task',
            name='sequence',
            field=models.IntegerField(default=0, help_text='Place in the chain from 1; 0 for a task without one.'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['status', 'agent', 'id'], name='task_status'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('job__isnull', False)), fields=['job', 'status', '-finished_at', 'id'], name='task_of_job'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='task',
            trigger=pgtrigger.compiler.Trigger(name='edges', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE sound boolean;', func='\nIF NEW.status <> OLD.status AND NOT \'{"queued in_progress": "task.claimed", "in_progress done": "task.completed", "queued done": "task.completed", "in_progress failed": "task.failed", "in_progress queued": "task.retried", "in_progress locked": "task.locked", "locked queued": "task.unlocked", "locked done": "task.unlocked", "failed queued": "task.requeued", "in_progress cancelled": "task.cancelled", "locked cancelled": "task.cancelled", "queued cancelled": "task.cancelled"}\'::jsonb ? (OLD.status || \' \' || NEW.status) THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_changes_along_edges\', TABLE = \'tasks_task\', MESSAGE = format(\'A task that is %s cannot become %s.\', OLD.status, NEW.status); END IF; IF NEW.status = \'queued\' THEN sound := NEW.agent_id IS NULL AND NEW.finished_at IS NULL AND NEW.lease_expires_at IS NULL AND NEW.dead_letter = \'\' AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); ELSIF NEW.status = \'in_progress\' THEN sound := NEW.agent_id IS NOT NULL AND NEW.finished_at IS NULL AND NOT NEW.postponed AND NOT NEW.blocked AND NEW.dead_letter = \'\' AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); ELSIF NEW.status = \'done\' THEN sound := NEW.finished_at IS NOT NULL AND NEW.lease_expires_at IS NULL AND NOT NEW.postponed AND NOT NEW.blocked AND NEW.dead_letter = \'\' AND NEW.reserved_for_id IS NULL AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); ELSIF NEW.status = \'failed\' THEN sound := NEW.finished_at IS NOT NULL AND NEW.lease_expires_at IS NULL AND NOT NEW.postponed AND NOT NEW.blocked AND NEW.dead_letter <> \'\' AND NEW.reserved_for_id IS NULL AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); ELSIF NEW.status = \'locked\' THEN sound := NEW.finished_at IS NULL AND NEW.lease_expires_at IS NULL AND NOT NEW.postponed AND NOT NEW.blocked AND NEW.dead_letter = \'\' AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); ELSIF NEW.status = \'cancelled\' THEN sound := NEW.finished_at IS NOT NULL AND NEW.lease_expires_at IS NULL AND NOT NEW.postponed AND NOT NEW.blocked AND NEW.dead_letter = \'\' AND NEW.reserved_for_id IS NULL AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); END IF; IF sound IS NOT TRUE THEN IF NEW.status IN (\'in_progress\') AND (NEW.agent_id IS NOT NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_is_held_while_in_progress\', TABLE = \'tasks_task\', MESSAGE = \'task_is_held_while_in_progress\'; END IF; IF NEW.status IN (\'queued\') AND (NEW.agent_id IS NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_is_held_by_nobody_while_queued\', TABLE = \'tasks_task\', MESSAGE = \'task_is_held_by_nobody_while_queued\'; END IF; IF NEW.status IN (\'in_progress\', \'locked\', \'queued\') AND (NEW.finished_at IS NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_is_finished_or_open\', TABLE = \'tasks_task\', MESSAGE = \'task_is_finished_or_open\'; END IF; IF NEW.status IN (\'cancelled\', \'done\', \'failed\') AND (NEW.finished_at IS NOT NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_is_finished_or_open\', TABLE = \'tasks_task\', MESSAGE = \'task_is_finished_or_open\'; END IF; IF NEW.status IN (\'cancelled\', \'done\', \'failed\', \'locked\', \'queued\') AND (NEW.lease_expires_at IS NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_is_leased_only_in_progress\', TABLE = \'tasks_task\', MESSAGE = \'task_is_leased_only_in_progress\'; END IF; IF NEW.status IN (\'cancelled\', \'done\', \'failed\', \'in_progress\', \'locked\') AND (NOT NEW.postponed) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_is_postponed_only_while_queued\', TABLE = \'tasks_task\', MESSAGE = \'task_is_postponed_only_while_queued\'; END IF; IF NEW.status IN (\'cancelled\', \'done\', \'failed\', \'in_progress\', \'locked\') AND (NOT NEW.blocked) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_is_blocked_only_while_queued\', TABLE = \'tasks_task\', MESSAGE = \'task_is_blocked_only_while_queued\'; END IF; IF NEW.status IN (\'failed\') AND (NEW.dead_letter <> \'\') IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_is_a_dead_letter_when_failed\', TABLE = \'tasks_task\', MESSAGE = \'task_is_a_dead_letter_when_failed\'; END IF; IF NEW.status IN (\'cancelled\', \'done\', \'in_progress\', \'locked\', \'queued\') AND (NEW.dead_letter = \'\') IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_is_a_dead_letter_when_failed\', TABLE = \'tasks_task\', MESSAGE = \'task_is_a_dead_letter_when_failed\'; END IF; IF NEW.status IN (\'cancelled\', \'done\', \'failed\') AND (NEW.reserved_for_id IS NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_is_reserved_only_while_open\', TABLE = \'tasks_task\', MESSAGE = \'task_is_reserved_only_while_open\'; END IF; IF NEW.status IN (\'cancelled\', \'done\', \'failed\', \'in_progress\', \'locked\', \'queued\') AND (NEW.closed_epoch <= NEW.lease_epoch) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_closes_only_epochs_it_had\', TABLE = \'tasks_task\', MESSAGE = \'task_closes_only_epochs_it_had\'; END IF; IF NEW.status IN (\'cancelled\', \'done\', \'failed\', \'in_progress\', \'locked\', \'queued\') AND (CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_without_chain_stands_alone\', TABLE = \'tasks_task\', MESSAGE = \'task_without_chain_stands_alone\'; END IF; IF NEW.status IN (\'cancelled\', \'done\', \'failed\', \'in_progress\', \'locked\', \'queued\') AND ((NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL))) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = \'check_violation\', CONSTRAINT = \'task_of_a_chain_has_no_job\', TABLE = \'tasks_task\', MESSAGE = \'task_of_a_chain_has_no_job\'; END IF; END IF; IF NEW.priority <> OLD.priority THEN INSERT INTO events_event (source, type, agent_id, task_id, job_id, chain_id, channel_id, payload, actor, reason, request_id) SELECT \'coordinator\', \'task.prioritized\', NEW.agent_id, NEW.id::text, NEW.job_id::text, NEW.chain_id, NEW.channel_id, jsonb_build_object(\'from\', OLD.priority, \'to\', NEW.priority), COALESCE(NULLIF(current_setting(\'coordinator.actor\', true), \'\'), current_user), COALESCE(current_setting(\'coordinator.reason\', true), \'\'), COALESCE(current_setting(\'coordinator.request_id\', true), \'\') ; END IF; RETURN NULL;', hash='7a3ea186e01ba07a741dd4bb6ef2505a9363fc5f', operation='UPDATE', pgid='pgtrigger_edges_0cc7f', table='tasks_task', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='task',
            trigger=pgtrigger.compiler.Trigger(name='rules', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE sound boolean;', func="IF NEW.status = 'queued' THEN sound := NEW.agent_id IS NULL AND NEW.finished_at IS NULL AND NEW.lease_expires_at IS NULL AND NEW.dead_letter = '' AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); ELSIF NEW.status = 'in_progress' THEN sound := NEW.agent_id IS NOT NULL AND NEW.finished_at IS NULL AND NOT NEW.postponed AND NOT NEW.blocked AND NEW.dead_letter = '' AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); ELSIF NEW.status = 'done' THEN sound := NEW.finished_at IS NOT NULL AND NEW.lease_expires_at IS NULL AND NOT NEW.postponed AND NOT NEW.blocked AND NEW.dead_letter = '' AND NEW.reserved_for_id IS NULL AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); ELSIF NEW.status = 'failed' THEN sound := NEW.finished_at IS NOT NULL AND NEW.lease_expires_at IS NULL AND NOT NEW.postponed AND NOT NEW.blocked AND NEW.dead_letter <> '' AND NEW.reserved_for_id IS NULL AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); ELSIF NEW.status = 'locked' THEN sound := NEW.finished_at IS NULL AND NEW.lease_expires_at IS NULL AND NOT NEW.postponed AND NOT NEW.blocked AND NEW.dead_letter = '' AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); ELSIF NEW.status = 'cancelled' THEN sound := NEW.finished_at IS NOT NULL AND NEW.lease_expires_at IS NULL AND NOT NEW.postponed AND NOT NEW.blocked AND NEW.dead_letter = '' AND NEW.reserved_for_id IS NULL AND NEW.closed_epoch <= NEW.lease_epoch AND CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END AND (NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL)); END IF; IF sound IS NOT TRUE THEN IF NEW.status IN ('in_progress') AND (NEW.agent_id IS NOT NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_is_held_while_in_progress', TABLE = 'tasks_task', MESSAGE = 'task_is_held_while_in_progress'; END IF; IF NEW.status IN ('queued') AND (NEW.agent_id IS NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_is_held_by_nobody_while_queued', TABLE = 'tasks_task', MESSAGE = 'task_is_held_by_nobody_while_queued'; END IF; IF NEW.status IN ('in_progress', 'locked', 'queued') AND (NEW.finished_at IS NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_is_finished_or_open', TABLE = 'tasks_task', MESSAGE = 'task_is_finished_or_open'; END IF; IF NEW.status IN ('cancelled', 'done', 'failed') AND (NEW.finished_at IS NOT NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_is_finished_or_open', TABLE = 'tasks_task', MESSAGE = 'task_is_finished_or_open'; END IF; IF NEW.status IN ('cancelled', 'done', 'failed', 'locked', 'queued') AND (NEW.lease_expires_at IS NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_is_leased_only_in_progress', TABLE = 'tasks_task', MESSAGE = 'task_is_leased_only_in_progress'; END IF; IF NEW.status IN ('cancelled', 'done', 'failed', 'in_progress', 'locked') AND (NOT NEW.postponed) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_is_postponed_only_while_queued', TABLE = 'tasks_task', MESSAGE = 'task_is_postponed_only_while_queued'; END IF; IF NEW.status IN ('cancelled', 'done', 'failed', 'in_progress', 'locked') AND (NOT NEW.blocked) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_is_blocked_only_while_queued', TABLE = 'tasks_task', MESSAGE = 'task_is_blocked_only_while_queued'; END IF; IF NEW.status IN ('failed') AND (NEW.dead_letter <> '') IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_is_a_dead_letter_when_failed', TABLE = 'tasks_task', MESSAGE = 'task_is_a_dead_letter_when_failed'; END IF; IF NEW.status IN ('cancelled', 'done', 'in_progress', 'locked', 'queued') AND (NEW.dead_letter = '') IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_is_a_dead_letter_when_failed', TABLE = 'tasks_task', MESSAGE = 'task_is_a_dead_letter_when_failed'; END IF; IF NEW.status IN ('cancelled', 'done', 'failed') AND (NEW.reserved_for_id IS NULL) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_is_reserved_only_while_open', TABLE = 'tasks_task', MESSAGE = 'task_is_reserved_only_while_open'; END IF; IF NEW.status IN ('cancelled', 'done', 'failed', 'in_progress', 'locked', 'queued') AND (NEW.closed_epoch <= NEW.lease_epoch) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_closes_only_epochs_it_had', TABLE = 'tasks_task', MESSAGE = 'task_closes_only_epochs_it_had'; END IF; IF NEW.status IN ('cancelled', 'done', 'failed', 'in_progress', 'locked', 'queued') AND (CASE WHEN NEW.chain_id IS NULL THEN NEW.sequence = 0 AND NOT NEW.blocked AND NEW.reserved_for_id IS NULL ELSE NEW.sequence >= 1 END) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_without_chain_stands_alone', TABLE = 'tasks_task', MESSAGE = 'task_without_chain_stands_alone'; END IF; IF NEW.status IN ('cancelled', 'done', 'failed', 'in_progress', 'locked', 'queued') AND ((NEW.chain_id IS NULL OR (NEW.job_id IS NULL AND NEW.requirement_id IS NULL))) IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'task_of_a_chain_has_no_job', TABLE = 'tasks_task', MESSAGE = 'task_of_a_chain_has_no_job'; END IF; END IF; RETURN NULL;", hash='24fec9a79ac32a632aedd33329ae39c7268792dc', operation='INSERT', pgid='pgtrigger_rules_05969', table='tasks_task', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='task',
            trigger=pgtrigger.compiler.Trigger(name='journal_changed', sql=pgtrigger.compiler.UpsertTriggerSql(func='IF (SELECT count(*) FROM new_rows) <= 50 THEN INSERT INTO events_event (source, type, agent_id, task_id, job_id, chain_id, channel_id, payload, actor, reason, request_id) SELECT \'coordinator\', \'{"queued in_progress": "task.claimed", "in_progress done": "task.completed", "queued done": "task.completed", "in_progress failed": "task.failed", "in_progress queued": "task.retried", "in_progress locked": "task.locked", "locked queued": "task.unlocked", "locked done": "task.unlocked", "failed queued": "task.requeued", "in_progress cancelled": "task.cancelled", "locked cancelled": "task.cancelled", "queued cancelled": "task.cancelled"}\'::jsonb ->> (o.status || \' \' || n.status), COALESCE(n.agent_id, o.agent_id), n.id::text, n.job_id::text, n.chain_id, n.channel_id, jsonb_build_object(\'from\', o.status, \'to\', n.status, \'lease_epoch\', n.lease_epoch), COALESCE(NULLIF(current_setting(\'coordinator.actor\', true), \'\'), current_user), COALESCE(current_setting(\'coordinator.reason\', true), \'\'), COALESCE(current_setting(\'coordinator.request_id\', true), \'\') FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE n.status <> o.status ORDER BY n.status = \'in_progress\', n.id; ELSE INSERT INTO events_event (source, type, agent_id, task_id, job_id, chain_id, channel_id, payload, actor, reason, request_id) SELECT \'coordinator\', \'{"queued in_progress": "task.claimed", "in_progress done": "task.completed", "queued done": "task.completed", "in_progress failed": "task.failed", "in_progress queued": "task.retried", "in_progress locked": "task.locked", "locked queued": "task.unlocked", "locked done": "task.unlocked", "failed queued": "task.requeued", "in_progress cancelled": "task.cancelled", "locked cancelled": "task.cancelled", "queued cancelled": "task.cancelled"}\'::jsonb ->> (o.status || \' \' || n.status), COALESCE(n.agent_id, o.agent_id), n.id::text, n.job_id::text, n.chain_id, n.channel_id, jsonb_build_object(\'from\', o.status, \'to\', n.status, \'lease_epoch\', n.lease_epoch), COALESCE(NULLIF(current_setting(\'coordinator.actor\', true), \'\'), current_user), COALESCE(current_setting(\'coordinator.reason\', true), \'\'), COALESCE(current_setting(\'coordinator.request_id\', true), \'\') FROM new_rows n FULL JOIN old_rows o ON o.id = n.id WHERE n.status IS DISTINCT FROM o.status ORDER BY n.status = \'in_progress\', n.id; END IF; RETURN NULL;', hash='27cff285a26f6895859f6ca7166e2f6180c4c775', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_journal_changed_e60d0', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='tasks_task', when='AFTER')),
        ),
        migrations.AddConstraint(
            model_name='requirement',
            constraint=models.UniqueConstraint(fields=('wants', 'requires', 'refused_by'), name='requirement_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.UniqueConstraint(condition=models.Q(('blocked', False), ('chain__isnull', False), ('finished_at', None)), fields=('chain',), name='task_has_the_turn_alone'),
        ),
    ]
