"""What lists are filtered by is found by an index, where it is rare."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0004_lists'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('type__in', ('task.created', 'task.claimed', 'task.completed')), _negated=True), fields=['type', 'id'], name='event_of_rare_type'),
        ),
    ]
