"""What an agent's event means for the task that it is about."""

from collections.abc import Mapping

from django.dispatch import receiver

from accounts.callers import Caller
from accounts.ownership import check, is_limited
from api.fields import identifier
from events.signals import event_posted, events_purged
from problems import Conflict, Invalid
from tasks import reports, tallies
from tasks.exceptions import TaskUnknown
from tasks.models import SESSION_REQUEST, Task
from tasks.rows import Outcome

SESSION_COMPLETED = "agent.automation.session_request.completed"
TOKEN_NAMES = (
    "agent_session_request_token",
    "agentSessionRequestToken",
    "agent_session_token",
    "agentSessionToken",
)
TASK_NAMES = ("task_id", "taskId")


@receiver(event_posted)
def complete_session_request(
    agent_id: str,
    type: str,  # noqa: A002  (the word of the contract, and of the signal)
    task_id: str,
    payload: Mapping[str, object],
    **kwargs: object,
) -> str | None:
    """Complete the session request whose token the event carries; the event is about its task.

    The token decides, not the holder of the task (contract 000-002, 3.9).
    """
    if type.casefold() != SESSION_COMPLETED:
        return None
    token = _text(payload, TOKEN_NAMES)
    if not token:
        raise Invalid("agent_session_request_token_required")
    task = Task.objects.answers_to(token).filter(type=SESSION_REQUEST).first()
    if task is None:
        raise TaskUnknown("There is no session request of this token.")
    named = task_id or _text(payload, TASK_NAMES)
    if named and identifier(named) != task.pk:
        raise Conflict("The token is that of another task.")
    report = reports.report_one(Outcome(task.pk, True), agent_id="", by=f"agent:{agent_id}")
    if report.problem:
        raise report.problem
    return str(task.pk)


@receiver(event_posted)
def refuse_of_others(caller: Caller, agent_id: str, task_id: str, **kwargs: object) -> None:
    """A user says nothing of a task of another one, but by the agent that has it."""
    if not is_limited(caller):
        return
    for task in Task.objects.filter(pk=identifier(task_id)):
        if task.agent_id != agent_id:
            check(task.user_id, caller)


@receiver(events_purged)
def keep_what_is_not_counted(**kwargs: object) -> int | None:
    """Events of tasks stay until the tallies have them."""
    return tallies.last_counted()


def _text(payload: Mapping[str, object], names: tuple[str, ...]) -> str:
    found = (payload.get(name) for name in names)
    return next((text.strip() for text in found if isinstance(text, str) and text.strip()), "")
