"""Triggers that say when a command in the queue outside has ended or was moved, by whomever."""

import pgtrigger

from jobs.tally import ENDED

OUTSIDE_TRIGGERS = [
    # By their conditions they cost a task that is no command nothing.
    pgtrigger.Trigger(
        name="end_outside",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition(
            f"NEW.type = 'command' AND NEW.status IN {ENDED} AND NEW.status <> OLD.status"
        ),
        func="UPDATE jobs_submission SET due_at = now(), attempts = 0, last_error = '',"
        " state = CASE NEW.status WHEN 'cancelled' THEN 'cancel' ELSE 'complete' END"
        " WHERE job_id = NEW.job_id; RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="move_outside",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition("NEW.type = 'command' AND NEW.priority <> OLD.priority"),
        func="UPDATE jobs_submission SET due_at = now()"
        " WHERE job_id = NEW.job_id AND state = 'sent'; RETURN NULL;",
    ),
]
