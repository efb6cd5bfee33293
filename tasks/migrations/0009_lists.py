"""What lists are filtered by is found by an index, where it is rare."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0004_agent_draining_journal'),
        ('chains', '0002_chain_channel_and_owner'),
        ('jobs', '0003_tally_by_row'),
        ('tasks', '0008_requirement_digest'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('status__in', ('failed', 'locked', 'cancelled'))), fields=['status', 'id'], name='task_of_rare_status'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('type', ''), _negated=True), fields=['type', 'id'], name='task_of_type'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('postponed', True)), fields=['channel', 'available_at'], name='task_postponed_in_channel'),
        ),
    ]
