"""Attribution of the triggers' events, and the events that no trigger can write."""

from functools import cache
from uuid import UUID

import pgtrigger
from django.db import connection, transaction
from django.db.models.expressions import RawSQL

from accounts.callers import Caller, CallerKind
from api.body import JsonDict
from events import audit
from events.audit import Entry
from events.context import request_id
from events.models import Event, Source
from events.signals import event_posted
from events.triggers import ATTRIBUTION

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
    """Attribute every change of the current transaction to `actor`, with `reason`.

    Valid until the transaction ends or the next call; without a transaction it has no effect.
    Without an actor, the journal names the database role. The request is the one being served.
    """
    with connection.cursor() as cursor:
        cursor.execute(ATTRIBUTE, [actor, reason, request_id.get()])


@cache
def _writers() -> str:
    """The triggers that write the journal, as `pgtrigger.ignore` names them."""
    named = ((trigger, model) for model, trigger in pgtrigger.registered())
    ids = [one.get_pgid(model) for one, model in named if str(one.name).startswith("journal")]
    return f"{{{','.join(ids)}}}"


def silence() -> None:
    """Write no events in the current transaction, which is a rehearsal and will be rolled back.

    The ids of its events would be missing for ever, and whoever follows waits for them in vain.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('pgtrigger.ignore', %s, true)", [_writers()])


def record(
    type_: str,
    *,
    agent_id: str | None = None,
    task_id: str | None = None,
    chain_id: UUID | None = None,
    channel_id: UUID | None = None,
    payload: JsonDict | None = None,
) -> None:
    """Write an event of the coordinator that does not follow from the change of a row.

    Actor, reason and request are those of the transaction, as with the triggers' events.
    """
    Event.objects.create(
        type=type_,
        agent_id=agent_id,
        task_id=task_id,
        chain_id=chain_id,
        channel_id=channel_id,
        payload=payload or {},
        **{column: RawSQL(expression, []) for column, expression in ATTRIBUTION.items()},  # noqa: S611
    )


@transaction.atomic
def post(
    *,
    agent_id: str,
    type_: str,
    task_id: str,
    payload: JsonDict,
    idempotency_key: str,
    caller: Caller,
) -> Event | None:
    """Write an agent's own event; None when the agent has used the key before.

    Of two concurrent posts with the same key, the second waits for the outcome of the first. The
    agent and the task may be unknown.
    """
    answers = event_posted.send(
        Event, caller=caller, agent_id=agent_id, type=type_, task_id=task_id, payload=payload
    )
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
        task_id=next((answer for _, answer in answers if answer), task_id) or None,
        payload=payload,
        idempotency_key=idempotency_key,
        actor=f"agent:{agent_id}",
        request_id=request_id.get(),
    )
    event.refresh_from_db()
    if caller.kind is CallerKind.USER:
        said = {"type": type_, "agent": agent_id, "task": event.task_id}
        audit.write(caller, "post", "event", "", [Entry(str(event.pk), after=said)])
    return event


def _reserve(agent_id: str, key: str) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, [agent_id, key])
        row = cursor.fetchone()
    return None if row is None else int(row[0])
