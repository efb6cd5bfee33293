"""The journal can be read by job."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("events", "0001_journal")]

    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["job_id", "id"],
                name="event_of_job",
                condition=models.Q(job_id__isnull=False),
            ),
        )
    ]
