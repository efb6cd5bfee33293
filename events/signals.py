"""What the journal tells the rooms above it."""

from django.dispatch import Signal

# Sent inside the transaction that is about to write an agent's event, with `agent_id`, `type`,
# `task_id` ("" for none) and `payload`. A receiver may raise a Problem, then nothing is written,
# or return the id of the task that the event is really about.
event_posted = Signal()
