"""A worker's claim of the next job of an executor."""

from accounts.callers import Caller
from api.serializers import Values
from collab.models import CollabJob
from tasks import claims, releases, scope
from tasks.rows import ClaimRequest


def claim(values: Values, caller: Caller) -> CollabJob | None:
    """The job that the worker has from now on, or None where there is none for it.

    Where commands wait in the same channel, one that comes first is given back: it is no job.
    """
    named = scope.within({"ids": [], "names": [values["executorId"]]}, caller)
    if not (named["ids"] or named["names"]):
        return None
    rows = claims.claim(
        ClaimRequest(
            values["workerId"],
            ids=named["ids"],
            names=named["names"],
            lease_seconds=values["leaseSeconds"],
            key=values["requestId"],
            type_prefix=values["typePrefix"],
        )
    )
    for row in rows:
        if row.job_id is None:
            return CollabJob.read(row.id)
        releases.release(row.id, agent_id=values["workerId"], reason="no Collab job")
    return None
