"""The triggers that write the journal for channels, tasks and inputs, whoever changes them."""

import json

import pgtrigger

from events.triggers import insert_event, journal
from tasks.constraints import refuse, refuse_what_breaks_rules
from tasks.states import EVENTS

EVENT_OF = json.dumps({f"{source} {target}": event for (source, target), event in EVENTS.items()})
"""The event of each change of status that is an edge."""

NAME_THE_EDGE = f"""event := '{EVENT_OF}'::jsonb ->> (OLD.status || ' ' || NEW.status);
IF event IS NULL THEN {
    refuse(
        "task_changes_along_edges",
        "format('A task that is %s cannot become %s.', OLD.status, NEW.status)",
    )
} END IF;"""


def _of_task(type_: str, payload: str) -> str:
    return insert_event(
        type=type_,
        agent_id="COALESCE(NEW.agent_id, OLD.agent_id)",
        task_id="NEW.id::text",
        job_id="NEW.job_id::text",
        chain_id="NEW.chain_id",
        channel_id="NEW.channel_id",
        payload=payload,
    )


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
    # Per row: most statements change one task, and for one row that costs half as much as
    # transition tables. One trigger for all, because calling one costs as much as all the rules.
    pgtrigger.Trigger(
        name="journal_changed",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        declare=[("event", "text"), ("sound", "boolean")],
        func=" ".join(
            [
                "IF NEW.status <> OLD.status THEN",
                NAME_THE_EDGE,
                _of_task(
                    "event",
                    "jsonb_build_object("
                    "'from', OLD.status, 'to', NEW.status, 'lease_epoch', NEW.lease_epoch)",
                ),
                "END IF; IF NEW.priority <> OLD.priority THEN",
                _of_task(
                    "'task.prioritized'",
                    "jsonb_build_object('from', OLD.priority, 'to', NEW.priority)",
                ),
                f"END IF; {refuse_what_breaks_rules()} RETURN NULL;",
            ]
        ),
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
