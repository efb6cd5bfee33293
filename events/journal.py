"""Who does what is about to be done, and why; and what no trigger can see, told by hand."""

from uuid import UUID

from django.db import connection, transaction
from django.db.models.expressions import RawSQL

from api.body import JsonDict
from events.context import request_id
from events.models import Event, Source
from events.signals import event_posted
from events.triggers import SAID

ATTRIBUTE = (
    "SELECT set_config('coordinator.actor', %s, true),"
    " set_config('coordinator.reason', %s, true),"
    " set_config('coordinator.request_id', %s, true)"
)
RESERVE = (
    "INSERT INTO events_eventkey (agent_id, key, event_id)"
    " VALUES (%s, %s, nextval('events_event_id_seq'))"
    " ON CONFLICT (agent_id, key) DO NOTHING RETURNING event_id"
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


@transaction.atomic
def post(
    *, agent_id: str, type_: str, task_id: str, payload: JsonDict, idempotency_key: str
) -> Event | None:
    """Write an agent's own event, or None when the agent has used its key before.

    Of two that come at once with the same key the second waits to learn what became of the
    first. Neither the agent nor the task needs to be known.
    """
    told = event_posted.send(Event, agent_id=agent_id, type=type_, task_id=task_id, payload=payload)
    event_id = None
    if idempotency_key:
        event_id = _reserve(agent_id, idempotency_key)
        if event_id is None:
            return None
    event = Event.objects.create(
        pk=event_id,
        source=Source.AGENT,
        type=type_,
        agent_id=agent_id,
        task_id=next((answer for _, answer in told if answer), task_id) or None,
        payload=payload,
        idempotency_key=idempotency_key,
        actor=f"agent:{agent_id}",
        request_id=request_id.get(),
    )
    event.refresh_from_db()
    return event


def _reserve(agent_id: str, key: str) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, [agent_id, key])
        row = cursor.fetchone()
    return None if row is None else int(row[0])
