"""All that people may do to tasks: taking one back from its agent may free its chain."""

from contextlib import suppress

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from chains import resets, transitions
from chains.exceptions import ChainUnknown
from console.conditions import Values, When
from console.verbs import By, Preview, Verb, one_by_one
from tasks import verbs
from tasks.agent_acts import refuse_not_running
from tasks.exceptions import WrongStatus
from tasks.models import Task
from tasks.states import Status
from tasks.verb_parts import snapshot

UNASKED = When(status=[Status.IN_PROGRESS], cancel_asked_at=False)


def _lock(rows: QuerySet[Task], values: Values) -> None:
    """Lock the tasks after their chains, and those after their owners."""
    ids = list(rows.values_list("pk", flat=True))
    for chain_id in Task.objects.chains_of(ids):
        with suppress(ChainUnknown):
            transitions.lock_chain(chain_id)
    list(Task.objects.filter(pk__in=ids).lock().values_list("pk"))


@one_by_one
def _put_back(task: Task, by: By, values: Values) -> None:
    """The answers to its agent's heartbeats and reports say that it has lost the task."""
    refuse_not_running(task)
    if task.cancel_asked_at is not None:
        raise WrongStatus(f"The agent of task {task.pk} is asked to stop; that would cancel it.")
    resets.reset_task(task.pk, by=by.actor, reason=by.reason)


PUT_BACK: Verb[Task] = Verb(
    "put_back",
    _("Put back in the queue"),
    [
        Preview(
            UNASKED,
            ngettext_lazy(
                "Takes %(count)d task in progress from its agent and puts it back in the queue.",
                "Takes %(count)d tasks in progress from their agents"
                " and puts them back in the queue.",
                "count",
            ),
        ),
        Preview(
            lambda rows, values: UNASKED(rows, values).exclude(chain=None),
            ngettext_lazy(
                "Ownership of %(count)d chain ends.", "Ownership of %(count)d chains ends.", "count"
            ),
        ),
        Preview(
            UNASKED,
            refuses=ngettext_lazy(
                "%(count)d task is not in progress, or is asked to stop, and will refuse.",
                "%(count)d tasks are not in progress, or are asked to stop, and will refuse.",
                "count",
            ),
        ),
    ],
    _put_back,
    snapshot,
    UNASKED,
    lock=_lock,
    help=_("Another agent may have it; its agent is told. No attempt is used."),
    icon="undo",
)
_place = [verb.name for verb in verbs.TASK_VERBS].index("cancel") + 1
TASK_VERBS = [*verbs.TASK_VERBS[:_place], PUT_BACK, *verbs.TASK_VERBS[_place:]]
