"""What the coordinator's own events are called where people read them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from events.models import Source

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

NAMES: Mapping[str, "StrPromise"] = {
    "task.created": _("Task made"),
    "task.claimed": _("Task claimed"),
    "task.started": _("Task started"),
    "task.progress": _("Task's progress"),
    "task.lease_renewed": _("Task's lease renewed"),
    "task.secrets_given": _("Secrets given for a task"),
    "task.completed": _("Task done"),
    "task.failed": _("Task failed"),
    "task.retried": _("Task back in the queue"),
    "task.locked": _("Task locked"),
    "task.unlocked": _("Task unlocked"),
    "task.requeued": _("Task requeued"),
    "task.cancel_asked": _("Task asked to stop"),
    "task.cancelled": _("Task cancelled"),
    "task.restored": _("Task restored"),
    "task.admitted": _("Task admitted to the queue"),
    "task.prioritized": _("Task's priority set"),
    "task.moved": _("Task moved"),
    "task.deleted": _("Task deleted"),
    "chain.created": _("Chain made"),
    "chain.acquired": _("Chain acquired"),
    "chain.released": _("Chain released"),
    "chain.progressed": _("Chain changed its status"),
    "chain.edited": _("Chain edited"),
    "chain.deleted": _("Chain deleted"),
    "channel.created": _("Channel made"),
    "channel.paused": _("Channel paused"),
    "channel.resumed": _("Channel resumed"),
    "input.sent": _("Input sent"),
    "input.claimed": _("Input claimed"),
    "agent.came_online": _("Agent came online"),
    "agent.went_offline": _("Agent went offline"),
    "agent.was_lost": _("Agent was lost"),
    "agent.restarted": _("Agent restarted"),
    "agent.was_doubled": _("Agent runs twice"),
    "agent.setup_waited": _("Agent waits in its setup"),
    "agent.drained": _("Agent drains"),
    "agent.resumed": _("Agent resumed"),
    "agent.removed": _("Agent removed"),
    "job.created": _("Job made"),
    "job.started": _("Job started"),
    "job.cancel_asked": _("Job's cancellation asked"),
    "job.completed": _("Job completed"),
    "job.failed": _("Job failed"),
    "job.cancelled": _("Job cancelled"),
    "job.reopened": _("Job reopened"),
    "job.deleted": _("Job deleted"),
}


def event_name(type_: str, source: str) -> str:
    """What happened, in the language of the reader; the type itself where an agent chose it."""
    known = NAMES.get(type_) if source == Source.COORDINATOR else None
    return str(known or type_)
