"""The journal's table, by month. Django cannot declare partitions, so it is told of a plain table."""

import django.db.models.functions.datetime
from django.db import migrations, models

INSTALL = """
CREATE SEQUENCE events_event_id_seq AS bigint;

CREATE TABLE events_event (
    id bigint NOT NULL DEFAULT nextval('events_event_id_seq'),
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    source varchar(16) NOT NULL DEFAULT 'coordinator',
    type varchar(200) NOT NULL,
    agent_id varchar(200),
    task_id varchar(200),
    job_id varchar(200),
    chain_id uuid,
    channel_id uuid,
    payload jsonb NOT NULL DEFAULT '{}',
    actor text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    idempotency_key varchar(200) NOT NULL DEFAULT '',
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);

ALTER SEQUENCE events_event_id_seq OWNED BY events_event.id;

CREATE INDEX event_of_agent ON events_event (agent_id, id) WHERE agent_id IS NOT NULL;
CREATE INDEX event_of_task ON events_event (task_id, id) WHERE task_id IS NOT NULL;
CREATE INDEX event_of_chain ON events_event (chain_id, id) WHERE chain_id IS NOT NULL;

-- What no month takes lands here: a missing month must never refuse a change of status.
CREATE TABLE events_event_default PARTITION OF events_event DEFAULT;
"""

REMOVE = "DROP TABLE events_event;"


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(INSTALL, REMOVE)],
            state_operations=[
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        (
                            "created_at",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now()
                            ),
                        ),
                        (
                            "source",
                            models.CharField(
                                choices=[("coordinator", "Coordinator"), ("agent", "Agent")],
                                db_default="coordinator",
                                max_length=16,
                            ),
                        ),
                        ("type", models.CharField(max_length=200)),
                        ("agent_id", models.CharField(max_length=200, null=True)),
                        ("task_id", models.CharField(max_length=200, null=True)),
                        ("job_id", models.CharField(max_length=200, null=True)),
                        ("chain_id", models.UUIDField(null=True)),
                        ("channel_id", models.UUIDField(null=True)),
                        ("payload", models.JSONField(db_default={})),
                        ("actor", models.TextField(db_default="")),
                        ("reason", models.TextField(db_default="")),
                        ("request_id", models.TextField(db_default="")),
                        ("idempotency_key", models.CharField(db_default="", max_length=200)),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("agent_id__isnull", False)),
                                fields=["agent_id", "id"],
                                name="event_of_agent",
                            ),
                            models.Index(
                                condition=models.Q(("task_id__isnull", False)),
                                fields=["task_id", "id"],
                                name="event_of_task",
                            ),
                            models.Index(
                                condition=models.Q(("chain_id__isnull", False)),
                                fields=["chain_id", "id"],
                                name="event_of_chain",
                            ),
                        ],
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name="EventKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("agent_id", models.CharField(max_length=200)),
                ("key", models.CharField(max_length=200)),
                ("event_id", models.BigIntegerField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="event_key_by_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agent_id", "key"), name="event_key_is_used_once_by_an_agent"
                    )
                ],
            },
        ),
    ]
