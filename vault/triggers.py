"""Triggers on the audit of keys: its rows stay as they were written, and each is counted."""

import pgtrigger

from events.triggers import ROWS

SLOTS = 16
REMOVING = "coordinator.removing_key_audit"
"""The setting that retention makes for its own transactions, and nobody else."""

REFUSE = f"""IF TG_OP = 'DELETE' AND current_setting('{REMOVING}', true) = 'on' THEN
  RETURN NULL;
END IF;
RAISE EXCEPTION 'The audit of keys is never changed.' USING ERRCODE = 'restrict_violation';"""
COUNT = f"""INSERT INTO vault_keytally AS known (event, reason, slot, count)
  SELECT n.event, CASE WHEN n.success THEN '' ELSE n.reason END,
    pg_backend_pid() % {SLOTS}, count(*)
  FROM new_rows n GROUP BY 1, 2 ORDER BY 1, 2
  ON CONFLICT (event, reason, slot) DO UPDATE SET count = known.count + excluded.count;
RETURN NULL;"""  # noqa: S608  (no values)

AUDIT_TRIGGERS = [
    pgtrigger.Trigger(
        name="append_only",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete,
        func=REFUSE,
    ),
    pgtrigger.Trigger(
        name="count",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=ROWS[pgtrigger.Insert],
        func=COUNT,
    ),
]
