"""Room in each page of agents, so that renewing presence moves no row and touches no index."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("agents", "0001_agent")]

    operations = [
        migrations.RunSQL(
            """ALTER TABLE agents_agent SET (fillfactor = 50,
                autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 200);""",
            """ALTER TABLE agents_agent RESET (fillfactor,
                autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);""",
        )
    ]
