"""Early vacuum for tasks: the head of the claim index is where dead rows gather fastest."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_task")]

    operations = [
        migrations.RunSQL(
            """ALTER TABLE tasks_task SET (fillfactor = 80,
                autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
                autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 1000,
                autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0);""",
            """ALTER TABLE tasks_task RESET (fillfactor,
                autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
                autovacuum_analyze_scale_factor, autovacuum_analyze_threshold,
                autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_cost_delay);""",
        )
    ]
