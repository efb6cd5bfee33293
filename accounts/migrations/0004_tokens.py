"""Tokens of users and agents, codes of sign-ins, and users by name without regard to case."""

import django.contrib.postgres.fields
import django.db.models.deletion
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now, Upper

ROLES = [("user", "User"), ("support", "Support"), ("admin", "Admin"), ("agent", "Agent")]


class Migration(migrations.Migration):

    dependencies = [("accounts", "0003_groups")]

    operations = [
        migrations.AddIndex(
            model_name="user",
            index=models.Index(Upper("username"), name="user_by_name_of_any_case"),
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                ("role", models.CharField(choices=ROLES, max_length=16, verbose_name="role")),
                ("user", models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="tokens", to=settings.AUTH_USER_MODEL, verbose_name="user")),
                ("agent", models.CharField(blank=True, default="", max_length=200, verbose_name="agent")),
                ("agent_is_prefix", models.BooleanField(default=False, verbose_name="all agents whose ids begin so")),
                ("channels", django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), blank=True, default=list, size=None, verbose_name="channels")),
                ("digest", models.BinaryField(max_length=32)),
                ("ending", models.CharField(max_length=4, verbose_name="ending")),
                ("is_login", models.BooleanField(default=False, verbose_name="of a sign-in")),
                ("made_by", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("created_at", models.DateTimeField(db_default=Now(), verbose_name="made")),
                ("updated_at", models.DateTimeField(db_default=Now())),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires")),
                ("revoked_at", models.DateTimeField(null=True, verbose_name="revoked")),
                ("last_used_at", models.DateTimeField(null=True, verbose_name="last used")),
            ],
            options={
                "verbose_name": "token",
                "verbose_name_plural": "tokens",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["user", "id"], name="api_token_of_user"),
                    models.Index(
                        fields=["expires_at"],
                        name="api_token_not_revoked",
                        condition=Q(revoked_at__isnull=True, is_login=False),
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=["digest"], name="api_token_is_one_of_its_digest"),
                    models.CheckConstraint(
                        condition=(Q(role="agent", user__isnull=True, is_login=False) & ~Q(agent=""))
                        | (~Q(role="agent") & Q(user__isnull=False, agent="", agent_is_prefix=False)),
                        name="api_token_is_of_a_user_or_names_an_agent",
                    ),
                    models.CheckConstraint(
                        condition=Q(role="agent") | Q(channels=[]),
                        name="api_token_of_a_user_names_no_channels",
                    ),
                    models.CheckConstraint(condition=~Q(name=""), name="api_token_has_a_name"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SignInCode",
            fields=[
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("digest", models.BinaryField(max_length=32)),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("agent_name", models.CharField(blank=True, default="", max_length=200)),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["expires_at"], name="sign_in_code_by_end")],
                "constraints": [
                    models.UniqueConstraint(fields=["digest"], name="sign_in_code_is_one_of_its_digest"),
                ],
            },
        ),
    ]
