"""The triggers by which channels, tasks and inputs write the journal, whoever changes them."""

import pgtrigger

from events.triggers import CHANGED, insert_event, journal

TASK_EVENT = """CASE
    WHEN n.status = 'in_progress' THEN 'task.claimed'
    WHEN n.status = 'done' AND o.status = 'locked' THEN 'task.unlocked'
    WHEN n.status = 'done' THEN 'task.completed'
    WHEN n.status = 'failed' THEN 'task.failed'
    WHEN n.status = 'locked' THEN 'task.locked'
    WHEN n.status = 'cancelled' THEN 'task.cancelled'
    WHEN o.status = 'locked' THEN 'task.unlocked'
    WHEN o.status = 'failed' THEN 'task.requeued'
    ELSE 'task.retried' END"""

ENDINGS_FIRST = "ORDER BY n.status = 'in_progress', n.id"
"""One statement may end tasks and claim others; the journal tells the endings first."""


TASK_TRIGGERS = [
    journal(
        "journal_created",
        pgtrigger.Insert,
        insert_event(
            type="'task.created'",
            task_id="n.id::text",
            job_id="n.job_id::text",
            chain_id="n.chain_id",
            channel_id="n.channel_id",
            payload="jsonb_build_object('to', n.status)",
            rows="FROM new_rows n ORDER BY n.id",
        ),
    ),
    journal(
        "journal_changed",
        pgtrigger.Update,
        insert_event(
            type=TASK_EVENT,
            agent_id="COALESCE(n.agent_id, o.agent_id)",
            task_id="n.id::text",
            job_id="n.job_id::text",
            chain_id="n.chain_id",
            channel_id="n.channel_id",
            payload="jsonb_build_object("
            "'from', o.status, 'to', n.status, 'lease_epoch', n.lease_epoch)",
            rows=f"{CHANGED} WHERE n.status IS DISTINCT FROM o.status {ENDINGS_FIRST}",
        ),
    ),
    # Row by row, with a condition, it costs next to nothing where the priority stays.
    pgtrigger.Trigger(
        name="journal_priority",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        condition=pgtrigger.Q(old__priority__df=pgtrigger.F("new__priority")),
        func=insert_event(
            type="'task.prioritized'",
            agent_id="NEW.agent_id",
            task_id="NEW.id::text",
            job_id="NEW.job_id::text",
            chain_id="NEW.chain_id",
            channel_id="NEW.channel_id",
            payload="jsonb_build_object('from', OLD.priority, 'to', NEW.priority)",
        )
        + " RETURN NULL;",
    ),
    journal(
        "journal_deleted",
        pgtrigger.Delete,
        insert_event(
            type="'task.deleted'",
            agent_id="o.agent_id",
            task_id="o.id::text",
            job_id="o.job_id::text",
            chain_id="o.chain_id",
            channel_id="o.channel_id",
            payload="jsonb_build_object('from', o.status)",
            rows="FROM old_rows o ORDER BY o.id",
        ),
    ),
]

CHANNEL_TRIGGERS = [
    journal(
        "journal_created",
        pgtrigger.Insert,
        insert_event(
            type="'channel.created'",
            channel_id="n.id",
            payload="jsonb_build_object('name', n.name)",
            rows="FROM new_rows n",
        ),
    ),
    journal(
        "journal_changed",
        pgtrigger.Update,
        insert_event(
            type="CASE WHEN n.paused_at IS NULL THEN 'channel.resumed' ELSE 'channel.paused' END",
            channel_id="n.id",
            payload="jsonb_build_object('name', n.name)",
            rows="FROM new_rows n JOIN old_rows o ON o.id = n.id"
            " WHERE (n.paused_at IS NULL) <> (o.paused_at IS NULL)",
        ),
    ),
]

INPUT_TRIGGERS = [
    journal(
        "journal_created",
        pgtrigger.Insert,
        insert_event(
            type="'input.sent'",
            agent_id="n.agent_id",
            task_id="n.task_id::text",
            payload="jsonb_build_object('input_id', n.id)",
            rows="FROM new_rows n",
        ),
    ),
    journal(
        "journal_changed",
        pgtrigger.Update,
        insert_event(
            type="'input.claimed'",
            agent_id="n.agent_id",
            task_id="n.task_id::text",
            payload="jsonb_build_object('input_id', n.id)",
            rows="FROM new_rows n JOIN old_rows o ON o.id = n.id"
            " WHERE n.claimed_at IS NOT NULL AND o.claimed_at IS NULL",
        ),
    ),
]
