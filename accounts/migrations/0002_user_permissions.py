"""What people may do: look on, operate, administer."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("accounts", "0001_user")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "permissions": [
                    ("view_console", "May look at everything in the console"),
                    ("operate", "May steer tasks, chains, jobs, channels and agents"),
                    ("administer", "May retire agents, and edit users"),
                ],
            },
        ),
    ]
