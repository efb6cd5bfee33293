"""Files and their pieces, words, and runs of the index."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.datetime
import search.models
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='IndexRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('seconds', models.FloatField(default=0.0)),
                ('files', models.BigIntegerField(default=0, help_text='That were looked at.')),
                ('added', models.BigIntegerField(default=0, help_text='Pieces.')),
                ('updated', models.BigIntegerField(default=0)),
                ('deleted', models.BigIntegerField(default=0)),
                ('errors', models.BigIntegerField(default=0)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='File',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(choices=[('tree', 'Tree'), ('task', 'Task'), ('artifact', 'Artifact'), ('log', 'Log')], max_length=8)),
                ('root', models.CharField(blank=True, default='', help_text='Its name.', max_length=100)),
                ('path', models.CharField(max_length=4096)),
                ('kind', models.CharField(choices=[('docs', 'Docs'), ('code', 'Code')], max_length=4)),
                ('language', models.CharField(blank=True, default='', max_length=16)),
                ('task_id', models.UUIDField(blank=True, null=True)),
                ('digest', models.CharField(help_text='Of its bytes.', max_length=64)),
                ('size', models.BigIntegerField(default=0)),
                ('changed', models.BigIntegerField(default=0, help_text='Its time, in nanoseconds.')),
                ('embedder', models.CharField(blank=True, default='', help_text='Which has made the vectors of its pieces.', max_length=64)),
                ('indexed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['source', 'root', 'path'],
                'indexes': [models.Index(condition=models.Q(('task_id__isnull', False)), fields=['task_id'], name='search_file_of_task')],
                'constraints': [models.UniqueConstraint(models.F('source'), models.F('root'), models.Func('path', function='MD5'), name='search_file_once'), models.CheckConstraint(condition=models.Q(models.Q(('source', 'tree'), ('task_id', None)), models.Q(models.Q(('source', 'tree'), _negated=True), ('task_id__isnull', False)), _connector='OR'), name='search_file_of_a_task_names_it')],
            },
        ),
        migrations.CreateModel(
            name='Term',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('docs', 'Docs'), ('code', 'Code')], max_length=4)),
                ('lexeme', models.CharField(max_length=64)),
                ('chunks', models.BigIntegerField()),
            ],
            options={
                'ordering': ['kind', 'lexeme'],
                'constraints': [models.UniqueConstraint(fields=('kind', 'lexeme'), name='search_term_once')],
            },
        ),
        migrations.CreateModel(
            name='Chunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('docs', 'Docs'), ('code', 'Code')], max_length=4)),
                ('number', models.IntegerField(help_text='Its place in its file, from 0.')),
                ('trail', models.TextField(blank=True, default='', help_text='Headings, a line each.')),
                ('symbol', models.CharField(blank=True, default='', max_length=200)),
                ('symbol_kind', models.CharField(blank=True, default='', max_length=16)),
                ('first_line', models.IntegerField()),
                ('last_line', models.IntegerField()),
                ('content', models.TextField()),
                ('prior', search.models.RealField(default=1.0, help_text='How much it counts beside others.')),
                ('body', django.contrib.postgres.search.SearchVectorField()),
                ('embedding', django.contrib.postgres.fields.ArrayField(base_field=search.models.RealField(), blank=True, null=True, size=None)),
                ('file', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='chunks', to='search.file')),
            ],
            options={
                'ordering': ['file', 'number'],
                'indexes': [django.contrib.postgres.indexes.GinIndex(condition=models.Q(('kind', 'docs')), fields=['body'], name='search_words_of_docs'), django.contrib.postgres.indexes.GinIndex(condition=models.Q(('kind', 'code')), fields=['body'], name='search_words_of_code')],
                'constraints': [models.UniqueConstraint(fields=('file', 'number'), name='search_chunk_has_its_place'), models.CheckConstraint(condition=models.Q(('first_line__gte', 1), ('last_line__gte', models.F('first_line')), ('number__gte', 0)), name='search_chunk_has_lines')],
            },
        ),
    ]
