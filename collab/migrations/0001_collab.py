"""Keys and dead letters of Collab jobs, and the trigger that writes the latter."""

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tasks', '0013_tallies'),
    ]

    operations = [
        migrations.CreateModel(
            name='CollabJob',
            fields=[
            ],
            options={
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('tasks.task',),
        ),
        migrations.CreateModel(
            name='DeadLetter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason_code', models.CharField(choices=[('parse_error', 'Parse Error'), ('validation_failed', 'Validation Failed'), ('dependency_unavailable', 'Dependency Unavailable'), ('timeout', 'Timeout'), ('exhausted_retries', 'Exhausted Retries'), ('policy_violation', 'Policy Violation'), ('infrastructure_failure', 'Infrastructure Failure'), ('compensation_failed', 'Compensation Failed')], max_length=32)),
                ('stage', models.CharField(choices=[('input', 'Input'), ('fetch', 'Fetch'), ('exec', 'Exec'), ('output', 'Output'), ('commit', 'Commit')], default='exec', max_length=8)),
                ('attempts', models.IntegerField(default=0)),
                ('last_owner', models.CharField(blank=True, default='', max_length=200)),
                ('last_lease_expires_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('retries', models.IntegerField(default=0, help_text='How often it was replayed.')),
                ('retried_at', models.DateTimeField(blank=True, null=True)),
                ('retried_job', models.ForeignKey(blank=True, help_text='The job that the last replay made.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tasks.task')),
                ('task', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='collab_letter', to='tasks.task')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Key',
            fields=[
                ('task', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='collab_key', serialize=False, to='tasks.task')),
                ('key', models.CharField(max_length=200)),
                ('digest', models.CharField(help_text='Of what was asked for, to tell another request.', max_length=64)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('key',), name='collab_key_is_unique'), models.CheckConstraint(condition=models.Q(('key', ''), _negated=True), name='collab_key_is_given')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='collabjob',
            trigger=pgtrigger.compiler.Trigger(name='dead_letter', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN (NEW.status = 'failed' AND OLD.status <> 'failed' AND NEW.job_id IS NULL AND NEW.dead_letter <> '')", func="INSERT INTO collab_deadletter\n    (task_id, reason_code, stage, attempts, last_owner, last_lease_expires_at, created_at, retries)\n  VALUES (NEW.id, CASE NEW.dead_letter WHEN 'exhausted' THEN 'exhausted_retries' WHEN 'not_retriable' THEN 'validation_failed' WHEN 'lease_expired' THEN 'timeout' WHEN 'agents_lost' THEN 'infrastructure_failure' WHEN 'unsupported' THEN 'dependency_unavailable' WHEN 'timeout' THEN 'timeout' WHEN 'unserved' THEN 'dependency_unavailable' END, 'exec', NEW.attempts, NEW.last_holder,\n    OLD.lease_expires_at, now(), 0)\n  ON CONFLICT (task_id) DO UPDATE SET reason_code = excluded.reason_code, stage = excluded.stage,\n    attempts = excluded.attempts, last_owner = excluded.last_owner,\n    last_lease_expires_at = excluded.last_lease_expires_at, created_at = excluded.created_at;\n  RETURN NULL;", hash='92ba4c10e3c49bdd0b158da66ea82bdb535b1648', operation='UPDATE', pgid='pgtrigger_dead_letter_7d697', table='tasks_task', when='AFTER')),
        ),
    ]
