"""What is stored of logs and files, and the removal of objects that no row names any more."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tasks', '0011_commands_and_secrets'),
    ]

    operations = [
        migrations.CreateModel(
            name='LogBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('epoch', models.BigIntegerField()),
                ('stream', models.CharField(choices=[('stdout', 'Stdout'), ('stderr', 'Stderr')], max_length=6)),
                ('sequence', models.BigIntegerField(help_text='From 1, for each stream of each lease.')),
                ('digest', models.CharField(help_text='Of what was sent.', max_length=64)),
                ('key', models.CharField(blank=True, default='', max_length=200)),
                ('lines', models.IntegerField(default=0)),
                ('start', models.BigIntegerField(help_text='How large the log was before.')),
                ('size', models.IntegerField(default=0)),
                ('left_out', models.BigIntegerField(default=0, help_text='Bytes that were not kept.')),
                ('first_at', models.DateTimeField(help_text='Where its first line stands in the order of time: not before those before it.')),
                ('last_at', models.DateTimeField(help_text='The latest time of the stream so far.')),
                ('task', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='log_batches', to='tasks.task')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Removal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=200)),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('taken', models.BooleanField(default=False, help_text='It is being removed, so no row may name the object any more.')),
            ],
            options={
                'ordering': ['due_at', 'key'],
                'indexes': [models.Index(fields=['due_at'], name='removal_when_due')],
                'constraints': [models.UniqueConstraint(fields=('key',), name='removal_is_of_one_object')],
            },
        ),
        migrations.CreateModel(
            name='Artifact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('epoch', models.BigIntegerField(help_text='The lease in which it was sent.')),
                ('path', models.CharField(max_length=1024)),
                ('key', models.CharField(help_text='Of the object with its bytes.', max_length=200)),
                ('size', models.BigIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('content_type', models.CharField(max_length=100)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('task', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='artifacts', to='tasks.task')),
            ],
            options={
                'ordering': ['task', 'epoch', 'path'],
                'constraints': [models.UniqueConstraint(models.F('task'), models.F('epoch'), django.db.models.functions.text.MD5('path'), name='artifact_path_is_unique_in_its_attempt'), models.CheckConstraint(condition=models.Q(('size__gte', 0), models.Q(('path', ''), _negated=True), models.Q(('key', ''), _negated=True)), name='artifact_has_its_bytes')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='artifact',
            trigger=pgtrigger.compiler.Trigger(name='removal_at_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO artifacts_removal (key, due_at, taken) SELECT o.key, now(), false FROM old_rows o WHERE o.key <> '' ON CONFLICT DO NOTHING; RETURN NULL;", hash='d6054b1c8f9eb2a7244f35367caf9254ca889071', level='STATEMENT', operation='DELETE', pgid='pgtrigger_removal_at_delete_89aa2', referencing='REFERENCING OLD TABLE AS old_rows ', table='artifacts_artifact', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='artifact',
            trigger=pgtrigger.compiler.Trigger(name='removal_at_update', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO artifacts_removal (key, due_at, taken) SELECT o.key, now(), false FROM old_rows o JOIN new_rows n ON n.id = o.id WHERE o.key <> '' AND o.key <> n.key ON CONFLICT DO NOTHING; RETURN NULL;", hash='0af02243b54c9d823b8c7a7e17d83c5dc9a9b5d0', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_removal_at_update_7abaf', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='artifacts_artifact', when='AFTER')),
        ),
        migrations.AddIndex(
            model_name='logbatch',
            index=models.Index(fields=['task', 'id'], name='log_batch_of_task'),
        ),
        migrations.AddIndex(
            model_name='logbatch',
            index=models.Index(condition=models.Q(('left_out__gt', 0)), fields=['task'], name='log_batch_without_object'),
        ),
        migrations.AddConstraint(
            model_name='logbatch',
            constraint=models.UniqueConstraint(fields=('task', 'epoch', 'stream', 'sequence'), name='log_batch_has_its_number'),
        ),
        migrations.AddConstraint(
            model_name='logbatch',
            constraint=models.CheckConstraint(condition=models.Q(('lines__gte', 0), ('sequence__gte', 1), ('size__gte', 0), ('start__gte', 0)), name='log_batch_counts_from_zero'),
        ),
        migrations.AddConstraint(
            model_name='logbatch',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('left_out', 0), models.Q(('key', ''), _negated=True)), models.Q(('key', ''), ('left_out__gt', 0), ('lines', 0), ('size', 0)), _connector='OR'), name='log_batch_has_an_object_or_was_left_out'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='logbatch',
            trigger=pgtrigger.compiler.Trigger(name='removal_at_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="INSERT INTO artifacts_removal (key, due_at, taken) SELECT o.key, now(), false FROM old_rows o WHERE o.key <> '' ON CONFLICT DO NOTHING; RETURN NULL;", hash='3910436aa61a83cc204323f20eb82193a85f8087', level='STATEMENT', operation='DELETE', pgid='pgtrigger_removal_at_delete_d2e51', referencing='REFERENCING OLD TABLE AS old_rows ', table='artifacts_logbatch', when='AFTER')),
        ),
    ]
