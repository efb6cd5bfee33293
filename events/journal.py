"""Who does what is about to be done, and why: the triggers that write the journal read it here."""

from django.db import connection

from events.context import request_id

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
