"""What people call the columns of all rooms, in their language: one word for one thing.

They are given at start and are no part of the models, so no migration has them (ADR 32).
"""

from collections.abc import Mapping

from django.db.models import Field, Model
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

COLUMNS: Mapping[str, object] = {
    "activity": _("activity"),
    "actor": _("who"),
    "after": _("after"),
    "agent": _("agent"),
    "agent_id": _("agent"),
    "announced": _("presence in the journal"),
    "attempts": _("attempts"),
    "available_at": _("not before"),
    "before": _("before"),
    "blocked": _("not its turn"),
    "cancel_asked_at": _("cancel asked"),
    "cancelled": _("cancelled"),
    "capacity": _("most tasks at once"),
    "chain": _("chain"),
    "chain_id": _("chain"),
    "channel": _("channel"),
    "channel_id": _("channel"),
    "claimed_at": _("claimed"),
    "closed_epoch": _("last epoch with an outcome"),
    "completed": _("completed"),
    "content_type": _("type of content"),
    "created_at": _("made"),
    "date_joined": _("joined"),
    "dead_letter": _("dead letter"),
    "description": _("description"),
    "draining": _("draining"),
    "epoch": _("attempt"),
    "execution_mode": _("mode of execution"),
    "fail_reason": _("error"),
    "failed": _("failed"),
    "finished_at": _("finished"),
    "id": _("id"),
    "idempotency_key": _("idempotency key"),
    "incarnation": _("process of the agent"),
    "job": _("job"),
    "job_id": _("job"),
    "key": _("object"),
    "kind": _("kind"),
    "last_holder": _("last holder"),
    "last_seen_at": _("last seen"),
    "lease_epoch": _("lease epoch"),
    "lease_expires_at": _("lease expires"),
    "lease_seconds": _("seconds of the lease"),
    "losses": _("agents lost in a row"),
    "max_attempts": _("most attempts"),
    "message": _("message"),
    "meta": _("about itself"),
    "name": _("name"),
    "object_id": _("on"),
    "offers": _("offers"),
    "on_failure": _("after a failure"),
    "owner": _("owner"),
    "path": _("path"),
    "pause_reason": _("reason of the pause"),
    "paused_at": _("paused"),
    "payload": _("payload"),
    "permissions": _("permissions"),
    "postponed": _("postponed"),
    "priority": _("priority"),
    "protocol": _("protocol"),
    "queue_at": _("position in the queue"),
    "reason": _("reason"),
    "refused": _("refused"),
    "request_id": _("request"),
    "requirement": _("requirement"),
    "reserved_for": _("reserved for"),
    "result": _("result"),
    "sequence": _("place in the chain"),
    "sha256": _("SHA-256"),
    "size": _("bytes"),
    "source": _("source"),
    "specification": _("specification"),
    "started_at": _("started"),
    "status": _("status"),
    "subscriptions": _("channels"),
    "subscriptions_pinned": _("channels are fixed"),
    "task": _("task"),
    "task_id": _("task"),
    "title": _("title"),
    "total": _("tasks"),
    "type": pgettext_lazy("of a task or an event", "type"),
    "updated_at": _("changed"),
    "user": _("user"),
    "verb": _("verb"),
}

HELP: Mapping[str, object] = {
    "blocked": _("Not its turn in its chain."),
    "capacity": _("The most tasks that it holds at once."),
    "draining": _("It finishes its work and gets no more."),
    "incarnation": _("The agent's own name for the process that uses its id now."),
    "priority": _("Higher runs first."),
    "reserved_for": _("Only this agent may claim it."),
    "subscriptions_pinned": _("Set by an operator: heartbeats cannot change them."),
    "paused_at": _("Since then claims get nothing from it."),
    "refused": _("Why it was not done; empty if it was."),
    "offers": _("What it can do: for each key the values."),
}
"""What a page says about a column. The models' own words are for those who read the code."""


def give(model: type[Model], one: object, many: object) -> None:
    """Let people see the model and its columns by these names.

    What a column was called by its model, in a `gettext` of its own, it keeps.
    """
    model._meta.verbose_name = one  # type: ignore[assignment]  # a lazy text
    model._meta.verbose_name_plural = many  # type: ignore[assignment]
    for field in model._meta.get_fields():
        if isinstance(field, Field) and field.name in COLUMNS and _is_unnamed(field):
            field.verbose_name = COLUMNS[field.name]  # type: ignore[assignment]


def _is_unnamed(field: Field) -> bool:
    """Whether its model gave it no name of its own, so that Django made one."""
    return str(field.verbose_name) == field.name.replace("_", " ")
