"""Providers, their models, policies and health; usage and snapshots."""

import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import routing.addresses
import routing.policies
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='FailoverTotal',
            fields=[
                ('reason', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('count', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Provider',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='As the key vault and policies call it, such as openai.', max_length=128, unique=True, verbose_name='name')),
                ('base_url', models.CharField(help_text='What stands before /chat/completions, such as https://api.openai.com/v1', max_length=500, validators=[routing.addresses.check_address], verbose_name='base URL')),
                ('regions', models.JSONField(blank=True, default=dict, help_text='Base URLs by region, such as {"eu": "https://eu.example.org/v1"}.', validators=[routing.addresses.check_regions], verbose_name='regions')),
                ('headers', models.JSONField(blank=True, default=dict, help_text='Headers beside the usual ones; {"api-key": "{key}"} sends the key as that.', validators=[routing.addresses.check_headers], verbose_name='headers')),
                ('needs_key', models.BooleanField(default=True, verbose_name='needs a key')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
            ],
            options={
                'verbose_name': 'provider',
                'verbose_name_plural': 'providers',
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='provider_has_a_name')],
            },
        ),
        migrations.CreateModel(
            name='RoutingPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True, verbose_name='name')),
                ('priority', models.IntegerField(default=100, help_text='The smallest is looked at first.', verbose_name='priority')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('match_conditions', models.JSONField(blank=True, default=dict, help_text='Such as {"intent": ["code", "chat"]}; nothing: for all.', validators=[routing.policies.check_conditions], verbose_name='for which calls')),
                ('action', models.JSONField(blank=True, default=dict, help_text='Such as {"deny": ["openai/gpt-4o"], "max_error_rate": 0.3}.', validators=[routing.policies.check_action], verbose_name='what holds')),
                ('description', models.TextField(blank=True, default='', max_length=2000, verbose_name='description')),
                ('valid_from', models.DateTimeField(blank=True, null=True, verbose_name='valid from')),
                ('valid_to', models.DateTimeField(blank=True, null=True, verbose_name='valid to')),
                ('merge_strategy', models.CharField(choices=[('first_match', 'ends here'), ('priority_merge', 'adds what they have not said'), ('all_match', 'narrows what they have said')], default='first_match', max_length=16, verbose_name='with those before it')),
            ],
            options={
                'verbose_name': 'routing policy',
                'verbose_name_plural': 'routing policies',
                'ordering': ['priority', 'name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='policy_has_a_name'), models.CheckConstraint(condition=models.Q(('valid_from', None), ('valid_to', None), ('valid_from__lt', models.F('valid_to')), _connector='OR'), name='policy_begins_before_it_ends')],
            },
        ),
        migrations.CreateModel(
            name='RoutingSnapshot',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('request_id', models.CharField(max_length=26, verbose_name='request')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='created')),
                ('service', models.CharField(choices=[('chat', 'Chat'), ('embeddings', 'Embeddings')], max_length=16, verbose_name='service')),
                ('intent', models.CharField(choices=[('chat', 'Chat'), ('code', 'Code'), ('research', 'Research'), ('rerank', 'Rerank'), ('embeddings', 'Embeddings')], max_length=16, verbose_name='intent')),
                ('tenant_id', models.UUIDField(blank=True, null=True, verbose_name='user')),
                ('agent', models.CharField(blank=True, default='', max_length=200, verbose_name='agent')),
                ('channel', models.CharField(blank=True, default='', max_length=200, verbose_name='channel')),
                ('request', models.JSONField(default=dict, verbose_name='asked')),
                ('intended_model', models.CharField(blank=True, default='', max_length=401, verbose_name='intended model')),
                ('selected_provider', models.CharField(blank=True, default='', max_length=200, verbose_name='provider')),
                ('selected_model', models.CharField(blank=True, default='', max_length=200, verbose_name='model')),
                ('selected_region', models.CharField(blank=True, default='', max_length=200, verbose_name='region')),
                ('ranked', models.JSONField(default=list, verbose_name='ranked')),
                ('excluded', models.JSONField(default=list, verbose_name='excluded')),
                ('attempts', models.JSONField(default=list, verbose_name='attempts')),
                ('degraded', models.BooleanField(default=False, verbose_name='degraded')),
                ('reason', models.CharField(blank=True, default='', max_length=40, verbose_name='reason')),
                ('outcome', models.CharField(choices=[('ranked', 'ranked'), ('answered', 'answered'), ('refused', 'refused'), ('unanswered', 'unanswered')], max_length=16, verbose_name='outcome')),
                ('policy_version', models.CharField(max_length=40, verbose_name='policies')),
                ('scoring', models.CharField(choices=[('v1', 'V1'), ('v2', 'V2')], max_length=4, verbose_name='scoring')),
                ('failovers', models.IntegerField(default=0, verbose_name='failovers')),
                ('input_tokens', models.BigIntegerField(default=0, verbose_name='tokens in')),
                ('output_tokens', models.BigIntegerField(default=0, verbose_name='tokens out')),
                ('cost', models.DecimalField(decimal_places=9, default=0, max_digits=24, verbose_name='USD')),
                ('is_estimated', models.BooleanField(default=False, help_text='The provider did not say how many tokens.', verbose_name='estimated')),
                ('latency_ms', models.FloatField(default=0, verbose_name='milliseconds of the ranking')),
            ],
            options={
                'verbose_name': 'routing snapshot',
                'verbose_name_plural': 'routing snapshots',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['service', '-id'], name='snapshot_latest'), models.Index(fields=['request_id'], name='snapshot_of_request'), django.contrib.postgres.indexes.BrinIndex(fields=['created_at'], name='snapshot_by_time')],
            },
        ),
        migrations.CreateModel(
            name='UsageCounter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('provider', models.CharField(max_length=128, verbose_name='provider')),
                ('model', models.CharField(max_length=128, verbose_name='model')),
                ('tenant_id', models.UUIDField(blank=True, null=True, verbose_name='user')),
                ('agent', models.CharField(blank=True, default='', max_length=200, verbose_name='agent')),
                ('channel', models.CharField(blank=True, default='', max_length=200, verbose_name='channel')),
                ('calls', models.BigIntegerField(verbose_name='calls')),
                ('input_tokens', models.BigIntegerField(verbose_name='tokens in')),
                ('output_tokens', models.BigIntegerField(verbose_name='tokens out')),
                ('cost', models.DecimalField(decimal_places=9, max_digits=24, verbose_name='USD')),
            ],
            options={
                'verbose_name': 'usage',
                'verbose_name_plural': 'usage',
                'ordering': ['-day', '-id'],
                'constraints': [models.UniqueConstraint(fields=('day', 'provider', 'model', 'tenant_id', 'agent', 'channel'), name='usage_is_one_of_its_day', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='UsageTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=128)),
                ('model', models.CharField(max_length=128)),
                ('calls', models.BigIntegerField()),
                ('input_tokens', models.BigIntegerField()),
                ('output_tokens', models.BigIntegerField()),
                ('cost', models.DecimalField(decimal_places=9, max_digits=24)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'model'), name='usage_total_is_of_a_model')],
            },
        ),
        migrations.CreateModel(
            name='LanguageModel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=128, verbose_name='name')),
                ('service', models.CharField(choices=[('chat', 'Chat'), ('embeddings', 'Embeddings')], default='chat', max_length=16, verbose_name='service')),
                ('context_limit', models.PositiveIntegerField(help_text='Tokens of question and answer together.', verbose_name='context')),
                ('max_tokens', models.PositiveIntegerField(blank=True, help_text='Tokens; empty: no limit.', null=True, verbose_name='longest answer')),
                ('default_region', models.CharField(blank=True, default='', help_text='Where it is served, if its provider names no regions.', max_length=200, verbose_name='region')),
                ('input_usd_per_1k', models.DecimalField(decimal_places=9, default=0, max_digits=18, validators=[django.core.validators.MinValueValidator(0)], verbose_name='USD for 1,000 tokens in')),
                ('output_usd_per_1k', models.DecimalField(decimal_places=9, default=0, max_digits=18, validators=[django.core.validators.MinValueValidator(0)], verbose_name='USD for 1,000 tokens out')),
                ('cold_start', models.BooleanField(default=False, help_text='It is slow after ten minutes without a call.', verbose_name='cold start')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='models', to='routing.provider', verbose_name='provider')),
            ],
            options={
                'verbose_name': 'model',
                'verbose_name_plural': 'models',
                'ordering': ['provider', 'name'],
                'constraints': [models.UniqueConstraint(fields=('provider', 'name'), name='model_is_unique_at_its_provider'), models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='model_has_a_name'), models.CheckConstraint(condition=models.Q(('input_usd_per_1k__gte', 0), ('output_usd_per_1k__gte', 0)), name='model_costs_nothing_or_more')],
            },
        ),
        migrations.CreateModel(
            name='ProviderHealth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('region', models.CharField(blank=True, default='', max_length=200, verbose_name='region')),
                ('latency_ms', models.FloatField(blank=True, null=True, verbose_name='milliseconds')),
                ('deviation_ms', models.FloatField(default=0, verbose_name='mean deviation')),
                ('error_rate', models.FloatField(default=0, verbose_name='share of errors')),
                ('calls', models.BigIntegerField(default=0, verbose_name='calls')),
                ('updated_at', models.DateTimeField(blank=True, null=True, verbose_name='measured')),
                ('parked_until', models.DateTimeField(blank=True, null=True, verbose_name='not called before')),
                ('parked_because', models.CharField(blank=True, choices=[('rate_limited', 'rate limited'), ('overloaded', 'overloaded'), ('bad_key', 'the key is refused'), ('no_key', 'there is no key')], default='', max_length=16, verbose_name='because')),
                ('last_error', models.CharField(blank=True, default='', max_length=40, verbose_name='last error')),
                ('last_error_at', models.DateTimeField(blank=True, null=True, verbose_name='last error at')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='health', to='routing.provider', verbose_name='provider')),
            ],
            options={
                'verbose_name': 'health of a provider',
                'verbose_name_plural': 'health of providers',
                'ordering': ['provider', 'region'],
                'constraints': [models.UniqueConstraint(fields=('provider', 'region'), name='health_is_one_of_its_place'), models.CheckConstraint(condition=models.Q(('error_rate__gte', 0), ('error_rate__lte', 1)), name='error_rate_is_a_share')],
            },
        ),
    ]
