"""The operators' audit."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0002_event_of_job'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='OperatorAction',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('actor', models.TextField()),
                ('verb', models.CharField(max_length=64)),
                ('kind', models.CharField(help_text='What sort of thing: task, chain, agent …', max_length=64)),
                ('object_id', models.CharField(max_length=200)),
                ('reason', models.TextField()),
                ('before', models.JSONField(default=dict)),
                ('after', models.JSONField(default=dict)),
                ('refused', models.CharField(db_default='', default='', help_text='Why it was not done; empty if it was.', max_length=64)),
                ('message', models.TextField(db_default='', default='')),
                ('request_id', models.TextField(db_default='')),
                ('user', models.ForeignKey(help_text='Empty for a caller without a login.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='operator_actions', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['kind', 'object_id', 'id'], name='operator_action_about')],
                'constraints': [models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='operator_action_has_a_reason')],
            },
        ),
    ]
