"""Chains and reasons as /v1 shows them (contract 000-002, chapter 2)."""

from api.views import filled
from chains.models import Chain
from chains.resets import AgentReset
from chains.why import WhyReason


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


def why_reason(reason: WhyReason) -> dict[str, object]:
    """One reason; `do` names the verb that removes it, if there is one."""
    do = reason.do
    return {
        "code": reason.code,
        "text": reason.text,
        **filled(
            remedy=reason.remedy,
            do={"kind": do.kind, "id": do.id, "verb": do.verb} if do else None,
        ),
        **reason.data,
    }


def retired(agent_id: str, taken: AgentReset, *, removed: bool) -> dict[str, object]:
    """What became of an agent that was retired, and of what it had."""
    return {
        "agent_id": agent_id,
        "removed": removed,
        "tasks": [{"id": one.task_id, "was": one.was, "status": one.now} for one in taken.tasks],
        **filled(detached_chain_id=taken.detached),
    }
