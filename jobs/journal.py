"""The triggers that write every change of a job to the journal."""

import pgtrigger

from events.triggers import insert_event, journal

CHANGES = "FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE"

JOB_TRIGGERS = [
    journal(
        "journal_created",
        pgtrigger.Insert,
        insert_event(
            type="'job.created'",
            job_id="n.id::text",
            payload="jsonb_build_object('to', n.status, 'kind', n.kind, 'name', n.name)",
            rows="FROM new_rows n",
        ),
    ),
    journal(
        "journal_changed",
        pgtrigger.Update,
        insert_event(
            type="CASE WHEN n.status <> 'RUNNING' THEN 'job.' || lower(n.status)"
            " WHEN o.status = 'PENDING' THEN 'job.started' ELSE 'job.reopened' END",
            job_id="n.id::text",
            payload="jsonb_build_object('from', o.status, 'to', n.status, 'total', n.total,"
            " 'completed', n.completed, 'failed', n.failed, 'cancelled', n.cancelled)",
            rows=f"{CHANGES} n.status <> o.status",
        ),
        insert_event(
            type="'job.cancel_asked'",
            job_id="n.id::text",
            payload="jsonb_build_object('status', n.status)",
            rows=f"{CHANGES} n.cancel_asked_at IS NOT NULL AND o.cancel_asked_at IS NULL",
        ),
    ),
    journal(
        "journal_deleted",
        pgtrigger.Delete,
        insert_event(
            type="'job.deleted'",
            job_id="o.id::text",
            payload="jsonb_build_object('from', o.status)",
            rows="FROM old_rows o",
        ),
    ),
]
