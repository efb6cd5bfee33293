"""Metrics of what belongs to no room: the loop's passes, its leader, the database's connections."""

from collections.abc import Iterator

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from coordinator_project.databases import connections_allowed
from coordinator_project.models import LeaderLease, PassRecord

CONNECTIONS = """
SELECT COALESCE(state, 'other'), count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1"""
OLDEST = """
SELECT COALESCE(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8
FROM pg_stat_activity WHERE datname = current_database()
AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""


def collect() -> Iterator[Metric]:
    leads = LeaderLease.objects.filter(expires_at__gt=Now()).exists()
    yield GaugeMetricFamily(
        "coordinator_loop_led", "Whether a process leads the maintenance loop.", value=leads
    )
    yield from _passes()
    with connection.cursor() as cursor:
        cursor.execute(CONNECTIONS)
        found = cursor.fetchall()
        cursor.execute(OLDEST)
        oldest = cursor.fetchone()[0]
    used = GaugeMetricFamily(
        "coordinator_database_connections",
        "Connections to this database, of all its clients.",
        labels=["state"],
    )
    for state, count in found:
        used.add_metric([state], count)
    yield used
    yield GaugeMetricFamily(
        "coordinator_database_connections_allowed",
        "How many the server, the database and the role allow to us.",
        value=connections_allowed(),
    )
    yield GaugeMetricFamily(
        "coordinator_database_oldest_transaction_seconds",
        "For how long the oldest transaction in this database has been running.",
        value=oldest,
    )


def _passes() -> Iterator[Metric]:
    """For each pass of the loop when it last succeeded, its failures since, whether it is late."""
    ages, failures, late, took = (
        GaugeMetricFamily(f"coordinator_pass_{name}", text, labels=["pass"])
        for name, text in (
            ("last_success_age_seconds", "Since a pass of the loop last succeeded."),
            ("failures", "Its failures in a row since then."),
            ("late", "Whether it is overdue by more than three intervals and a minute."),
            ("last_duration_seconds", "How long it took then."),
        )
    )
    now = timezone.now()
    for row in PassRecord.objects.with_late():
        since = row.last_success_at or row.led_since
        ages.add_metric([row.name], max(0.0, (now - since).total_seconds()))
        failures.add_metric([row.name], row.failures)
        late.add_metric([row.name], row.late)
        took.add_metric([row.name], row.milliseconds / 1000)
    yield from (ages, failures, late, took)
