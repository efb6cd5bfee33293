"""The triggers that write the journal for chains, whoever changes them."""

import pgtrigger

from events.triggers import insert_event, journal

CHANGES = "FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE"

CHAIN_TRIGGERS = [
    journal(
        "journal_created",
        pgtrigger.Insert,
        insert_event(
            type="'chain.created'",
            chain_id="n.id",
            channel_id="n.channel_id",
            payload="jsonb_build_object('to', n.status, 'name', n.name)",
            rows="FROM new_rows n",
        ),
    ),
    journal(
        "journal_changed",
        pgtrigger.Update,
        insert_event(
            type="CASE WHEN n.owner_id IS NULL THEN 'chain.released' ELSE 'chain.acquired' END",
            agent_id="COALESCE(n.owner_id, o.owner_id)",
            chain_id="n.id",
            channel_id="n.channel_id",
            payload="jsonb_build_object('from', o.owner_id, 'to', n.owner_id)",
            rows=f"{CHANGES} n.owner_id IS DISTINCT FROM o.owner_id",
        ),
        insert_event(
            type="'chain.progressed'",
            agent_id="n.owner_id",
            chain_id="n.id",
            channel_id="n.channel_id",
            payload="jsonb_build_object('from', o.status, 'to', n.status)",
            rows=f"{CHANGES} n.status <> o.status",
        ),
        insert_event(
            type="'chain.edited'",
            chain_id="n.id",
            channel_id="n.channel_id",
            payload="jsonb_build_object('name', n.name, 'on_failure', n.on_failure)",
            rows=f"{CHANGES} (n.name, n.description, n.on_failure)"
            " <> (o.name, o.description, o.on_failure)",
        ),
    ),
    journal(
        "journal_deleted",
        pgtrigger.Delete,
        insert_event(
            type="'chain.deleted'",
            agent_id="o.owner_id",
            chain_id="o.id",
            channel_id="o.channel_id",
            payload="jsonb_build_object('from', o.status, 'name', o.name)",
            rows="FROM old_rows o",
        ),
    ),
]
