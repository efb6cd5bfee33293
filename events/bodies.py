"""Events as /v1 shows them (contract 000-002, chapter 2), without empty fields."""

from api.views import filled
from events.models import Event


def event(row: Event) -> dict[str, object]:
    return {
        "id": str(row.id),
        "agent_id": row.agent_id or "",
        "type": row.type,
        "source": row.source,
        "created_at": row.created_at,
        **filled(
            task_id=row.task_id,
            chain_id=row.chain_id,
            channel_id=row.channel_id,
            job_id=row.job_id,
            payload=row.payload,
            idempotency_key=row.idempotency_key,
            actor=row.actor,
            reason=row.reason,
            request_id=row.request_id,
        ),
    }
