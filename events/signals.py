"""The journal's signals to the rooms above it."""

from django.dispatch import Signal

# Sent before an agent's event is written, in the same transaction, with `caller` (who speaks for
# the agent), `agent_id`, `type`, `task_id` ("" for none) and `payload`. A receiver may raise a
# Problem, so that nothing is written, or return the id of the task that the event is about.
event_posted = Signal()

# Sent before old events are removed. A receiver returns the id of the last event that it no longer
# needs; what came after it stays.
events_purged = Signal()
