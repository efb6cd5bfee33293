"""The journal's signal to the rooms above it."""

from django.dispatch import Signal

# Sent before an agent's event is written, in the same transaction, with `agent_id`, `type`,
# `task_id` ("" for none) and `payload`. A receiver may raise a Problem, so that nothing is written,
# or return the id of the task that the event is about.
event_posted = Signal()
