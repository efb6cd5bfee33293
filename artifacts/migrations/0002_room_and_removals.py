"""Room for artifacts that are on their way; when the store last refused to remove an object."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('artifacts', '0001_artifacts'),
    ]

    operations = [
        migrations.AddField(
            model_name='removal',
            name='tried_at',
            field=models.DateTimeField(blank=True, help_text='When the store last did not remove it.', null=True),
        ),
        migrations.CreateModel(
            name='Reservation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('task_id', models.UUIDField()),
                ('key', models.CharField(max_length=200)),
                ('size', models.BigIntegerField(help_text='What was announced, or has come so far.')),
                ('renewed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['renewed_at'],
                'indexes': [models.Index(fields=['task_id'], name='reservation_of_task')],
                'constraints': [models.UniqueConstraint(fields=('key',), name='reservation_is_of_one_object'), models.CheckConstraint(condition=models.Q(('size__gte', 0)), name='reservation_takes_room')],
            },
        ),
    ]
