"""Who does what is about to be done, and why; and what no trigger can see, told by hand."""

from uuid import UUID

from django.db import connection
from django.db.models.expressions import RawSQL

from api.body import JsonDict
from events.context import request_id
from events.models import Event
from events.triggers import SAID

ATTRIBUTE = (
    "SELECT set_config('coordinator.actor', %s, true),"
    " set_config('coordinator.reason', %s, true),"
    " set_config('coordinator.request_id', %s, true)"
)


def attribute(*, actor: str = "", reason: str = "") -> None:
    """Put every change of the current transaction down to `actor`, with `reason`.

    It holds until the transaction ends or the next call, and outside of one has no effect.
    Without an actor the journal names the database role. The request is the one being served.
    """
    with connection.cursor() as cursor:
        cursor.execute(ATTRIBUTE, [actor, reason, request_id.get()])


def record(
    type_: str,
    *,
    agent_id: str | None = None,
    task_id: str | None = None,
    chain_id: UUID | None = None,
    channel_id: UUID | None = None,
    payload: JsonDict | None = None,
) -> None:
    """Write a line of the coordinator's own that is not about a change of some row.

    Actor, reason and request are those of the transaction, as with the lines of triggers.
    """
    Event.objects.create(
        type=type_,
        agent_id=agent_id,
        task_id=task_id,
        chain_id=chain_id,
        channel_id=channel_id,
        payload=payload or {},
        **{column: RawSQL(expression, []) for column, expression in SAID.items()},  # noqa: S611
    )
