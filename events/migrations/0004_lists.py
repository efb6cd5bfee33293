"""What the lists of the console are filtered by is found by an index."""

import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("events", "0003_operator_action")]

    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["id"], name="event_by_agent", condition=models.Q(source="agent")
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["created_at"], name="event_by_time", autosummarize=True
            ),
        ),
        migrations.RemoveIndex(model_name="operatoraction", name="operator_action_about"),
        migrations.AddIndex(
            model_name="operatoraction",
            index=models.Index(fields=["object_id", "kind", "id"], name="operator_action_on"),
        ),
        migrations.AddIndex(
            model_name="operatoraction",
            index=models.Index(fields=["actor", "id"], name="operator_action_by"),
        ),
        migrations.AddIndex(
            model_name="operatoraction",
            index=models.Index(fields=["kind", "id"], name="operator_action_on_kind"),
        ),
        migrations.AddIndex(
            model_name="operatoraction",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["created_at"], name="operator_action_by_time", autosummarize=True
            ),
        ),
    ]
