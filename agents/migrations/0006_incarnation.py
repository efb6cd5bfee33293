"""Which process uses an agent's id, and which ones it has replaced."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0005_pulse'),
    ]

    operations = [
        migrations.AddField(
            model_name='agent',
            name='doubled_at',
            field=models.DateTimeField(blank=True, help_text='When the journal last named one of these that still lives.', null=True),
        ),
        migrations.AddField(
            model_name='agent',
            name='incarnation',
            field=models.CharField(blank=True, db_default='', help_text="The agent's own name for the process that uses its id now.", max_length=200),
        ),
        migrations.AddField(
            model_name='agent',
            name='past_incarnations',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), blank=True, db_default=[], default=list, help_text='The processes that it has replaced, the latest at the end.', size=None),
        ),
    ]
