"""Examinations of the database: its schema, its tables and its sessions."""

import pgtrigger.registry
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from coordinator_project.databases import connections_allowed
from coordinator_project.doctor.finding import Finding, some_of
from events import partitions

HOT = (
    *("tasks_task", "agents_agent", "jobs_job", "jobs_tally", "chains_chain"),
    *("tasks_tasktally", "tasks_tasktiming", "tasks_taskrollup", "tasks_waitrollup"),
    "coordinator_project_passrecord",
)
DEAD_SHARE = 0.3  # of the rows of a table
FEW_DEAD = 20_000
OLD = 300  # seconds
MOST_USED = 0.85  # of the connections

INVALID = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND n.nspname NOT LIKE 'pg\\_%%' ORDER BY 1"""
DEAD = """
SELECT relname, n_live_tup, n_dead_tup FROM pg_stat_user_tables
WHERE relname = ANY (%s) AND n_dead_tup > %s AND n_dead_tup > %s * n_live_tup ORDER BY 1"""
AGED = """
SELECT pid, application_name, state, extract(epoch FROM clock_timestamp() - xact_start)::int
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
  AND xact_start < clock_timestamp() - %s * interval '1 second' ORDER BY xact_start"""
USED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


def migrations() -> Finding:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    missing = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
    if missing:
        return Finding(
            "migrations",
            f"{len(missing)} migrations are missing: {some_of(missing)}.",
            "Run manage.py migrate, or start serve again, which does.",
        )
    return Finding("migrations", "All migrations are applied.")


def triggers() -> Finding:
    """A trigger that is missing or disabled lets changes pass without event, count and rule."""
    wrong = []
    for model, trigger in pgtrigger.registry.registered():
        status, enabled = trigger.get_installation_status(model)
        if status != "INSTALLED" or not enabled:
            wrong.append(f"{trigger.name} of {model._meta.db_table}")
    if wrong:
        return Finding(
            "triggers",
            f"{len(wrong)} triggers are missing, changed or disabled: {some_of(wrong)}.",
            "Run manage.py migrate, then manage.py pgtrigger install, then manage.py reset.",
        )
    return Finding("triggers", "All triggers are there.")


def indexes() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(INVALID, [])
        invalid = [name for (name,) in cursor.fetchall()]
    if invalid:
        return Finding(
            "indexes",
            f"Indexes are invalid: {some_of(invalid)}.",
            "Run REINDEX INDEX CONCURRENTLY on each of them.",
        )
    return Finding("indexes", "All indexes are valid.")


def months() -> Finding:
    """The journal's partitions: without one, events go where they cannot be dropped at once."""
    missing = partitions.missing(timezone.now())
    if missing:
        return Finding(
            "journal",
            f"Months of the journal are missing: {some_of(missing)}.",
            "The loop makes them every hour: see whether it runs; a start of serve makes them too.",
        )
    return Finding("journal", "The next months of the journal are there.")


def dead_tuples() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(DEAD, [list(HOT), FEW_DEAD, DEAD_SHARE])
        found = [f"{name} ({dead} beside {live})" for name, live, dead in cursor.fetchall()]
    if found:
        return Finding(
            "dead rows",
            f"Tables have many dead rows: {some_of(found)}.",
            "End old transactions, which keep them; then run VACUUM on these tables.",
        )
    return Finding("dead rows", "No hot table has many dead rows.")


def old_transactions() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(AGED, [OLD])
        found = [
            f"pid {pid} ({name or 'no name'}, {state}, {seconds} s)"
            for pid, name, state, seconds in cursor.fetchall()
        ]
    if found:
        return Finding(
            "transactions",
            f"Old transactions keep dead rows: {some_of(found)}.",
            "If it is no dump, end it: SELECT pg_terminate_backend(pid).",
        )
    return Finding("transactions", "No transaction is old.")


def connections() -> Finding:
    allowed = connections_allowed()
    with connection.cursor() as cursor:
        cursor.execute(USED)
        used = cursor.fetchone()[0]
    message = f"{used} of {allowed} connections are used."
    if used > MOST_USED * allowed:
        return Finding(
            "connections",
            message,
            "Raise max_connections, or set fewer COORDINATOR_PROCESSES.",
        )
    return Finding("connections", message)
