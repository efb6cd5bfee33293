"""The trigger on tasks that writes dead letters, so that no path forgets one."""

import pgtrigger

from collab.states import REASONS

REASON = " ".join(f"WHEN '{letter}' THEN '{reason}'" for letter, reason in REASONS.items())

# Row by row and with a condition, it costs what does not fail nothing.
DEAD_LETTER_TRIGGERS = [
    pgtrigger.Trigger(
        name="dead_letter",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition(
            "NEW.status = 'failed' AND OLD.status <> 'failed' AND NEW.job_id IS NULL"
            " AND NEW.dead_letter <> ''"  # else the rule that this breaks is to be told
        ),
        func=f"""INSERT INTO collab_deadletter
    (task_id, reason_code, stage, attempts, last_owner, last_lease_expires_at, created_at, retries)
  VALUES (NEW.id, CASE NEW.dead_letter {REASON} END, 'exec', NEW.attempts, NEW.last_holder,
    OLD.lease_expires_at, now(), 0)
  ON CONFLICT (task_id) DO UPDATE SET reason_code = excluded.reason_code, stage = excluded.stage,
    attempts = excluded.attempts, last_owner = excluded.last_owner,
    last_lease_expires_at = excluded.last_lease_expires_at, created_at = excluded.created_at;
  RETURN NULL;""",  # noqa: S608
    )
]
