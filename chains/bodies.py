"""What /v1 shows of chains (contract 000-002, chapter 2)."""

from api.views import filled
from chains.models import Chain


def chain(row: Chain) -> dict[str, object]:
    return {
        "id": row.id,
        "channel_id": row.channel_id,
        "name": row.name,
        "status": row.status,
        "on_failure": row.on_failure,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        **filled(user_id=row.user_id, description=row.description, owner_agent_id=row.owner_id),
    }
