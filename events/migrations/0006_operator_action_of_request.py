"""The rows of one use of a verb are found by their request; claims write none of them."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("events", "0005_event_of_rare_type")]

    operations = [
        migrations.AddIndex(
            model_name="operatoraction",
            index=models.Index(
                fields=["request_id", "id"],
                name="operator_action_of_request",
                condition=models.Q(("request_id", ""), _negated=True),
            ),
        ),
    ]
