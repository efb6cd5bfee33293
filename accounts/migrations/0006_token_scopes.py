"""Tokens that are limited to functions of some scopes."""

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.models import Q

SCOPES = [("read", "Read"), ("sign", "Sign files"), ("ops", "Steer")]


class Migration(migrations.Migration):

    dependencies = [("accounts", "0005_ownership")]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=SCOPES, max_length=8),
                blank=True,
                db_default=[],
                default=list,
                size=None,
                verbose_name="limited to functions",
            ),
        ),
        migrations.AddConstraint(
            model_name="apitoken",
            constraint=models.CheckConstraint(
                condition=(~Q(role="agent") | Q(scopes=[]))
                & Q(scopes__contained_by=["read", "sign", "ops"]),
                name="api_token_scopes_are_known_and_of_users",
            ),
        ),
    ]
