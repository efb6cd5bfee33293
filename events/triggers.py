"""What every journal trigger is made of: rows that changed, one event for each."""

import pgtrigger

SAID = {
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

    `columns` are SQL expressions by column of the journal. Who, why and which request come from
    the settings that `events.journal.attribute` makes for the transaction, else the role's name.
    """
    values = {"source": "'coordinator'", **columns, **SAID}
    names = ", ".join(values)
    expressions = ", ".join(values.values())
    return f"INSERT INTO events_event ({names}) SELECT {expressions} {rows};"


def journal(name: str, operation: pgtrigger.Operation, *inserts: str) -> pgtrigger.Trigger:
    """A statement's trigger that runs `inserts` once over all rows the statement changed.

    The rows are `new_rows` and `old_rows`, as the operation has them (PostgreSQL gives such
    tables to a trigger of one operation only, hence one trigger for each).
    """
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=ROWS[operation],
        func=" ".join([*inserts, "RETURN NULL;"]),
    )
