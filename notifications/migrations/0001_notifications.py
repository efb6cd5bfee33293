"""Receivers of notifications, rules, what these watch, and deliveries."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Receiver',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=100, unique=True, verbose_name='name')),
                ('kind', models.CharField(choices=[('webhook', 'Webhook'), ('mail', 'Mail')], default='webhook', max_length=8, verbose_name='kind')),
                ('place', models.CharField(blank=True, default='', max_length=300, verbose_name='place')),
                ('sealed', models.BinaryField()),
                ('language', models.CharField(choices=[('en', 'English'), ('ko', '한국어'), ('ru', 'Русский')], default='en', max_length=8, verbose_name='language')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
            ],
            options={
                'verbose_name': 'receiver of notifications',
                'verbose_name_plural': 'receivers of notifications',
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='receiver_has_a_name'), models.CheckConstraint(condition=models.Q(('kind__in', ['webhook', 'mail'])), name='receiver_kind_is_known')],
            },
        ),
        migrations.CreateModel(
            name='Rule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True, verbose_name='name')),
                ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=32), blank=True, default=list, help_text='None chosen: all of them.', size=None, verbose_name='kinds')),
                ('severity', models.CharField(default='warning', max_length=8, verbose_name='from severity')),
                ('after_seconds', models.PositiveIntegerField(default=60, help_text='It is told once it has lasted so long.', validators=[django.core.validators.MaxValueValidator(604800)], verbose_name='after (seconds)')),
                ('repeat_seconds', models.PositiveIntegerField(default=0, help_text='While it lasts; 0: only once.', validators=[django.core.validators.MaxValueValidator(604800)], verbose_name='again every (seconds)')),
                ('tells_end', models.BooleanField(default=True, verbose_name='also when it is over')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('receiver', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rules', to='notifications.receiver', verbose_name='receiver')),
            ],
            options={
                'verbose_name': 'rule of notifications',
                'verbose_name_plural': 'rules of notifications',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Watched',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=200)),
                ('seen_at', models.DateTimeField()),
                ('announced_at', models.DateTimeField(null=True)),
                ('gone_at', models.DateTimeField(null=True)),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='watched', to='notifications.rule')),
            ],
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('rule', models.CharField(blank=True, default='', max_length=100, verbose_name='rule')),
                ('event', models.CharField(choices=[('attention.began', 'Began'), ('attention.lasts', 'Lasts'), ('attention.ended', 'Ended'), ('attention.test', 'Test')], max_length=20, verbose_name='event')),
                ('key', models.CharField(blank=True, default='', max_length=200, verbose_name='finding')),
                ('data', models.JSONField(verbose_name='data')),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('sent', 'Sent'), ('dead', 'Dead letter')], default='waiting', max_length=8, verbose_name='status')),
                ('attempts', models.PositiveIntegerField(default=0, verbose_name='attempts')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='made')),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='next attempt')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('last_error', models.CharField(blank=True, default='', max_length=200, verbose_name='last error')),
                ('receiver', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='notifications.receiver', verbose_name='receiver')),
            ],
            options={
                'verbose_name': 'delivery of a notification',
                'verbose_name_plural': 'deliveries of notifications',
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('status', 'waiting')), fields=['due_at'], name='delivery_due'), models.Index(fields=['status', '-id'], name='delivery_status'), models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['ended_at'], name='delivery_ended')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['waiting', 'sent', 'dead'])), name='delivery_status_is_known'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('status', 'waiting')), models.Q(models.Q(('status', 'waiting'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='delivery_has_ended_or_waits')],
            },
        ),
        migrations.AddConstraint(
            model_name='rule',
            constraint=models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='rule_has_a_name'),
        ),
        migrations.AddConstraint(
            model_name='rule',
            constraint=models.CheckConstraint(condition=models.Q(('repeat_seconds', 0), ('repeat_seconds__gte', 60), _connector='OR'), name='rule_repeats_once_a_minute_at_most', violation_error_message='Once a minute is the most.'),
        ),
        migrations.AddConstraint(
            model_name='watched',
            constraint=models.UniqueConstraint(fields=('rule', 'key'), name='rule_watches_a_finding_once'),
        ),
    ]
