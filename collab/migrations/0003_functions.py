"""The daily count of calls of functions, and the order in which dead letters are listed."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("accounts", "0006_token_scopes"), ("collab", "0002_dead_letters_so_far")]

    operations = [
        migrations.CreateModel(
            name="FunctionUse",
            fields=[
                (
                    "token",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.apitoken",
                    ),
                ),
                ("day", models.DateField(help_text="In UTC.")),
                ("calls", models.BigIntegerField()),
            ],
        ),
        migrations.AddIndex(
            model_name="deadletter",
            index=models.Index(fields=["-created_at", "-id"], name="collab_letter_newest"),
        ),
    ]
