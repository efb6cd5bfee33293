"""Agents and notifications as /v1 shows them (contract 000-002, chapter 2)."""

from uuid import UUID

from agents.models import Agent, Notification
from api.views import filled


def agent(row: Agent, *, current_task_id: UUID | None) -> dict[str, object]:
    meta = row.meta | ({"subscriptions": row.subscriptions} if row.subscriptions else {})
    return {
        "id": row.id,
        "name": row.name,
        "status": row.activity,
        "claude_status": row.activity,
        "last_seen": row.last_seen_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        **filled(
            user_id=row.user_id,
            current_task_id=current_task_id,
            meta=meta,
            protocol=row.protocol,
            incarnation=row.incarnation,
            capabilities=row.offers,
            capacity=row.capacity,
            draining=row.draining or None,
        ),
    }


def notification(row: Notification) -> dict[str, object]:
    return {
        "key": str(row),
        "agent_id": row.agent_id,
        "agent_name": row.agent.name,
        "type": row.type,
        "channel": row.channel,
        "message": row.message,
        "created_at": row.created_at,
        **filled(user_id=row.agent.user_id),
    }
