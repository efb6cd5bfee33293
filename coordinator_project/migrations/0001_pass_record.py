import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="PassRecord",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("every", models.DurationField()),
                (
                    "led_since",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="When the present leader began.",
                    ),
                ),
                ("last_success_at", models.DateTimeField(blank=True, null=True)),
                (
                    "milliseconds",
                    models.FloatField(default=0, help_text="How long it took then."),
                ),
                (
                    "done",
                    models.PositiveBigIntegerField(default=0, help_text="How much it did then."),
                ),
                (
                    "failures",
                    models.PositiveIntegerField(default=0, help_text="In a row, since then."),
                ),
                (
                    "problem",
                    models.TextField(blank=True, default="", help_text="What went wrong last."),
                ),
            ],
            options={"ordering": ["name"]},
        ),
    ]
