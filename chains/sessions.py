"""Session requests: a person asks for an agent's session, an agent that is assigned makes it.

Seed 000's agents know such a task by its type and prove by its token that the session is there
(contract 000-002, 1.3 and 3.9).
"""

import secrets

from django.db import transaction

from chains import transitions
from events import journal
from tasks.models import SESSION_REQUEST, Channel, Task

PRIORITY = 100


@transaction.atomic
def request_session(channel: Channel, *, by: str) -> Task:
    """Make a session request: a task in a chain of its own, which no claim gives out."""
    journal.attribute(actor=by)
    chain = transitions.open_chain(channel, "Session Request", by=by)
    task = Task(
        channel=channel,
        chain=chain,
        sequence=1,
        title="Agent Session Request",
        type=SESSION_REQUEST,
        assign_only=True,
        priority=PRIORITY,
        session_token=f"asr_{secrets.token_hex(16)}",
    )
    return transitions.enqueue([task], by=by)[0]
