"""Session requests: a person asks for an agent's session, the assigned agent starts it.

Seed 000's agents recognise such a task by its type, and complete it by its token when the session
has started (contract 000-002, 1.3 and 3.9).
"""

import secrets
from uuid import UUID

from django.db import transaction

from chains import transitions
from events import journal
from tasks.models import SESSION_REQUEST, Channel, Task

PRIORITY = 100


@transaction.atomic
def request_session(channel: Channel, *, user_id: UUID | None = None, by: str) -> Task:
    """Create a session request: a task in its own chain, which is never claimed."""
    journal.attribute(actor=by)
    chain = transitions.open_chain(channel, "Session Request", user_id=user_id, by=by)
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
