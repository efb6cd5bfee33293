"""The parts of a journal trigger, which writes one event for each changed row."""

import pgtrigger
from django.db import connections

ATTRIBUTION = {
    "actor": "COALESCE(NULLIF(current_setting('coordinator.actor', true), ''), current_user)",
    "reason": "COALESCE(current_setting('coordinator.reason', true), '')",
    "request_id": "COALESCE(current_setting('coordinator.request_id', true), '')",
}

ROWS = {
    pgtrigger.Insert: pgtrigger.Referencing(new="new_rows"),
    pgtrigger.Update: pgtrigger.Referencing(old="old_rows", new="new_rows"),
    pgtrigger.Delete: pgtrigger.Referencing(old="old_rows"),
}


def insert_event(*, rows: str = "", **columns: str) -> str:
    """The SQL that writes one event for each of `rows` (a FROM clause and what follows it).

    `columns` are SQL expressions by column of the journal. Actor, reason and request come from the
    settings that `events.journal.attribute` makes for the transaction; the default actor is the
    database role.
    """
    values = {"source": "'coordinator'", **columns, **ATTRIBUTION}
    names = ", ".join(values)
    expressions = ", ".join(values.values())
    return f"INSERT INTO events_event ({names}) SELECT {expressions} {rows};"


def journal(name: str, operation: pgtrigger.Operation, *inserts: str) -> pgtrigger.Trigger:
    """A statement-level trigger that runs `inserts` once for all changed rows.

    The rows are in `new_rows` and `old_rows`, depending on the operation. (PostgreSQL allows such
    transition tables only in triggers of one operation, hence one trigger for each.)
    """
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=ROWS[operation],
        func=" ".join([*inserts, "RETURN NULL;"]),
    )


IGNORED = """CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name name)
RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT COALESCE(
    trigger_name = ANY (NULLIF(current_setting('pgtrigger.ignore', true), '')::text[]), false) $$"""
"""Whether `pgtrigger.ignore` names a trigger, which each trigger asks first.

pgtrigger's own function means the same, but opens a subtransaction for each call: a tenth of what a
claim costs. Each migration of a trigger makes it anew, so this one follows every migration.
"""


def ask_cheaply_what_is_ignored(using: str, **kwargs: object) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(IGNORED)
