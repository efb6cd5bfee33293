"""Batches of a log that are joined in one object once their attempt has ended."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('artifacts', '0002_room_and_removals'),
        ('tasks', '0011_commands_and_secrets'),
    ]

    operations = [
        migrations.AddField(
            model_name='logbatch',
            name='first',
            field=models.BigIntegerField(help_text='The first batch in its object, where several were joined, or none will be.', null=True),
        ),
        migrations.AddIndex(
            model_name='logbatch',
            index=models.Index(condition=models.Q(('first', None), ('left_out', 0), ('sequence', 1)), fields=['id'], name='log_batch_to_join'),
        ),
        migrations.AddConstraint(
            model_name='logbatch',
            constraint=models.CheckConstraint(condition=models.Q(('first', None), models.Q(('first__gte', 1), ('first__lte', models.F('sequence'))), _connector='OR'), name='log_batch_joins_those_before'),
        ),
    ]
