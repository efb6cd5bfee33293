"""The triggers that write the journal for channels, tasks and inputs, whoever changes them."""

import json

import pgtrigger

from events.triggers import insert_event, journal
from tasks.constraints import refuse, refuse_what_breaks_rules
from tasks.states import EVENTS

EVENT_OF = json.dumps({f"{source} {target}": event for (source, target), event in EVENTS.items()})
"""The event of each change of status that is an edge."""

REFUSE_WHAT_IS_NO_EDGE = f"""
IF NEW.status <> OLD.status AND NOT '{EVENT_OF}'::jsonb ? (OLD.status || ' ' || NEW.status) THEN {
    refuse(
        "task_changes_along_edges",
        "format('A task that is %s cannot become %s.', OLD.status, NEW.status)",
    )
} END IF;"""

FEW = 50
"""Rows of a statement up to which comparing each old one with each new one costs nothing."""


CHANGE = "jsonb_build_object('from', o.status, 'to', n.status, 'lease_epoch', n.lease_epoch)"

OUTCOME = """CASE WHEN o.status = 'in_progress' AND n.status = 'queued' THEN (
  SELECT outcome FROM tasks_attempt a WHERE a.task_id = n.id AND a.epoch = n.lease_epoch) END"""
"""How the attempt ended after which the task is tried again; its row is written before."""

MORE = f"""jsonb_strip_nulls(jsonb_build_object('type', NULLIF(n.type, ''),
  'dead_letter', NULLIF(n.dead_letter, ''), 'outcome', {OUTCOME}))"""
"""What else an event says where there is something to say: most events stay short."""


def with_type(payload: str, row: str) -> str:
    """The payload, and the type of a task that has one."""
    typed = f"{payload} || jsonb_build_object('type', {row}.type)"
    return f"CASE WHEN {row}.type = '' THEN {payload} ELSE {typed} END"


def _changed(rows: str) -> str:
    """Events of changes of status, endings first: one statement may end tasks and claim others."""
    return insert_event(
        type=f"'{EVENT_OF}'::jsonb ->> (o.status || ' ' || n.status)",
        agent_id="COALESCE(n.agent_id, o.agent_id)",
        task_id="n.id::text",
        job_id="n.job_id::text",
        chain_id="n.chain_id",
        channel_id="n.channel_id",
        payload=f"CASE WHEN n.type = '' AND n.status IN ('in_progress', 'done') THEN {CHANGE}"
        f" ELSE {CHANGE} || {MORE} END",
        rows=f"{rows} ORDER BY n.status = 'in_progress', n.id",
    )


PRIORITIZED = insert_event(
    type="'task.prioritized'",
    agent_id="NEW.agent_id",
    task_id="NEW.id::text",
    job_id="NEW.job_id::text",
    chain_id="NEW.chain_id",
    channel_id="NEW.channel_id",
    payload="jsonb_build_object('from', OLD.priority, 'to', NEW.priority)",
)


MOVED = "".join(
    insert_event(
        type="'task.moved'",
        task_id="NEW.id::text",
        job_id="NEW.job_id::text",
        chain_id="NEW.chain_id",
        channel_id=f"{row}.channel_id",
        payload=with_type(f"jsonb_build_object('{side}', NEW.status, '{other}', {name})", "NEW"),
    )
    for row, side, other, name in (
        ("OLD", "from", "to_channel", "NEW.channel_id"),
        ("NEW", "to", "from_channel", "OLD.channel_id"),
    )
)
"""One event in each of the two channels, so that what is counted by channel stays right."""


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
            payload=with_type("jsonb_build_object('to', n.status)", "n"),
            rows="FROM new_rows n ORDER BY n.id",
        ),
    ),
    # A trigger keeps the plan of its first run, usually for one row. A large statement is joined by
    # hashing, which PostgreSQL always does for a FULL join; for few rows that costs too much.
    journal(
        "journal_changed",
        pgtrigger.Update,
        f"IF (SELECT count(*) FROM new_rows) <= {FEW} THEN",  # noqa: S608
        _changed("FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE n.status <> o.status"),
        "ELSE",
        _changed(
            "FROM new_rows n FULL JOIN old_rows o ON o.id = n.id"
            " WHERE n.status IS DISTINCT FROM o.status"
        ),
        "END IF;",
    ),
    pgtrigger.Trigger(
        name="edges",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        declare=[("sound", "boolean")],
        func=f"{REFUSE_WHAT_IS_NO_EDGE} {refuse_what_breaks_rules()}"
        f" IF NEW.priority <> OLD.priority THEN {PRIORITIZED} END IF;"
        f" IF NEW.channel_id <> OLD.channel_id THEN {MOVED} END IF; RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="rules",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        declare=[("sound", "boolean")],
        func=f"{refuse_what_breaks_rules()} RETURN NULL;",
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
            payload=with_type("jsonb_build_object('from', o.status)", "o"),
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
