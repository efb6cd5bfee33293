"""Keys, their sealed versions, and the audit of what is done with them, which is never changed."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.db.models.lookups
import pgtrigger.compiler
import pgtrigger.migrations
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='KeyTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event', models.CharField(max_length=8)),
                ('reason', models.CharField(max_length=64)),
                ('slot', models.SmallIntegerField()),
                ('count', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='KeyVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.IntegerField(help_text='From 1.')),
                ('status', models.CharField(choices=[('active', 'Active'), ('revoked', 'Revoked')], default='active', max_length=8)),
                ('sealed', models.BinaryField()),
                ('sealed_by', models.CharField(help_text='The label of the encryption key that has sealed it.', max_length=12)),
                ('checksum', models.CharField(help_text='SHA-256 of the secret.', max_length=64)),
                ('not_before_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('rotate_after', models.DateTimeField(null=True)),
                ('last_used_at', models.DateTimeField(null=True)),
                ('usage_count', models.BigIntegerField(default=0)),
                ('created_by', models.TextField(default='')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('revoked_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['key', '-version'],
            },
        ),
        migrations.CreateModel(
            name='SecureKey',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('env', models.CharField(max_length=32, verbose_name='environment')),
                ('provider', models.CharField(blank=True, default='', max_length=200, verbose_name='provider')),
                ('service', models.CharField(blank=True, default='', max_length=200, verbose_name='service')),
                ('resource', models.CharField(blank=True, default='', max_length=200, verbose_name='resource')),
                ('region', models.CharField(blank=True, default='', max_length=200, verbose_name='region')),
                ('alias', models.CharField(blank=True, default='', max_length=200, verbose_name='alias')),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, default=list, help_text='The services that it is for; empty: any.', size=None, verbose_name='scopes')),
                ('status', models.CharField(choices=[('active', 'Active'), ('revoked', 'Revoked')], default='active', max_length=8, verbose_name='status')),
                ('latest', models.IntegerField(default=0, verbose_name='newest version')),
                ('created_by', models.TextField(default='', verbose_name='made by')),
                ('updated_by', models.TextField(default='', verbose_name='changed by')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='made')),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='changed')),
            ],
            options={
                'verbose_name': 'key',
                'verbose_name_plural': 'keys',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='KeyAudit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='time')),
                ('key_id', models.UUIDField(null=True, verbose_name='key')),
                ('name', models.CharField(blank=True, default='', max_length=200, verbose_name='name')),
                ('env', models.CharField(blank=True, default='', max_length=32, verbose_name='environment')),
                ('version', models.IntegerField(null=True, verbose_name='version')),
                ('event', models.CharField(choices=[('read', 'Read'), ('write', 'Write'), ('rotate', 'Rotate'), ('revoke', 'Revoke'), ('reseal', 'Reseal'), ('fail', 'Failure')], max_length=8, verbose_name='event')),
                ('operation', models.CharField(choices=[('read', 'Read'), ('write', 'Write'), ('rotate', 'Rotate'), ('revoke', 'Revoke'), ('reseal', 'Reseal'), ('fail', 'Failure')], max_length=8, verbose_name='operation')),
                ('actor', models.TextField(verbose_name='by')),
                ('ip', models.CharField(blank=True, default='', max_length=64, verbose_name='address')),
                ('user_agent', models.TextField(blank=True, default='', verbose_name='program')),
                ('trace_id', models.TextField(blank=True, default='', verbose_name='trace')),
                ('request_id', models.TextField(blank=True, default='', verbose_name='request')),
                ('success', models.BooleanField(verbose_name='succeeded')),
                ('reason', models.TextField(blank=True, default='', verbose_name='reason')),
                ('details', models.JSONField(blank=True, default=dict, verbose_name='details')),
            ],
            options={
                'verbose_name': 'use of a key',
                'verbose_name_plural': 'uses of keys',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['key_id', 'id'], name='key_audit_of_key'), models.Index(condition=models.Q(('success', False)), fields=['id'], name='key_audit_of_failures'), django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['created_at'], name='key_audit_by_time')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('operation', models.F('event')), ('success', True), models.Q(('event', 'fail'), _negated=True)), models.Q(('event', 'fail'), ('success', False), models.Q(('operation', 'fail'), _negated=True)), _connector='OR'), name='key_audit_says_what_failed')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='keyaudit',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF TG_OP = 'DELETE' AND current_setting('coordinator.removing_key_audit', true) = 'on' THEN\n  RETURN NULL;\nEND IF;\nRAISE EXCEPTION 'The audit of keys is never changed.' USING ERRCODE = 'restrict_violation';", hash='39d6f24ac929ec88b7cbec54e531a621ffd8ed71', level='STATEMENT', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_2993b', table='vault_keyaudit', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='keyaudit',
            trigger=pgtrigger.compiler.Trigger(name='count', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO vault_keytally AS known (event, reason, slot, count)\n  SELECT n.event, CASE WHEN n.success THEN '' ELSE n.reason END,\n    pg_backend_pid() % 16, count(*)\n  FROM new_rows n GROUP BY 1, 2 ORDER BY 1, 2\n  ON CONFLICT (event, reason, slot) DO UPDATE SET count = known.count + excluded.count;\nRETURN NULL;", hash='08343302a4fb56f32b80ee69be25814a4d5c1458', level='STATEMENT', operation='INSERT', pgid='pgtrigger_count_7ace5', referencing='REFERENCING NEW TABLE AS new_rows ', table='vault_keyaudit', when='AFTER')),
        ),
        migrations.AddConstraint(
            model_name='keytally',
            constraint=models.UniqueConstraint(fields=('event', 'reason', 'slot'), name='key_tally_is_one_of_its_kind'),
        ),
        migrations.AddIndex(
            model_name='securekey',
            index=models.Index(fields=['env', 'provider', 'service', 'resource'], name='secure_key_for'),
        ),
        migrations.AddConstraint(
            model_name='securekey',
            constraint=models.UniqueConstraint(fields=('name', 'env'), name='secure_key_name_is_unique_in_its_environment', violation_error_message='There is such a key: rotate it instead.'),
        ),
        migrations.AddConstraint(
            model_name='securekey',
            constraint=models.UniqueConstraint(condition=models.Q(('alias', ''), _negated=True), fields=('alias', 'env'), name='secure_key_alias_is_unique_in_its_environment', violation_error_message='Another key of this environment has the alias.'),
        ),
        migrations.AddConstraint(
            model_name='securekey',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('name', ''), _negated=True), models.Q(('env', ''), _negated=True)), name='secure_key_has_a_name'),
        ),
        migrations.AddConstraint(
            model_name='securekey',
            constraint=models.CheckConstraint(condition=models.Q(('latest__gte', 0)), name='secure_key_counts_from_zero'),
        ),
        migrations.AddConstraint(
            model_name='securekey',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['active', 'revoked'])), name='secure_key_status_is_known'),
        ),
        migrations.AddField(
            model_name='keyversion',
            name='key',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='vault.securekey'),
        ),
        migrations.AddIndex(
            model_name='keyversion',
            index=models.Index(fields=['sealed_by', 'id'], name='key_version_sealed_by'),
        ),
        migrations.AddConstraint(
            model_name='keyversion',
            constraint=models.UniqueConstraint(fields=('key', 'version'), name='key_version_has_its_number'),
        ),
        migrations.AddConstraint(
            model_name='keyversion',
            constraint=models.CheckConstraint(condition=models.Q(('version__gte', 1)), name='key_version_is_from_one'),
        ),
        migrations.AddConstraint(
            model_name='keyversion',
            constraint=models.CheckConstraint(condition=django.db.models.lookups.Exact(django.db.models.functions.text.Substr('sealed', 1, 5), models.Value(b'gAAAA')), name='key_version_is_sealed'),
        ),
        migrations.AddConstraint(
            model_name='keyversion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('revoked_at', None), ('status', 'active')), models.Q(('revoked_at__isnull', False), ('status', 'revoked')), _connector='OR'), name='key_version_is_active_or_was_revoked'),
        ),
        migrations.AddConstraint(
            model_name='keyversion',
            constraint=models.CheckConstraint(condition=models.Q(('not_before_at', None), ('expires_at', None), ('not_before_at__lt', models.F('expires_at')), _connector='OR'), name='key_version_begins_before_it_ends'),
        ),
    ]
