"""What people may do to tasks; reports and inputs on behalf of agents stand in `agent_acts`."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.conditions import Values, When
from console.verbs import By, Preview, Verb, by_key, one_by_one
from tasks import agent_acts, batches, transitions
from tasks.letter_verbs import PURGE
from tasks.models import Task
from tasks.states import OPEN, Status
from tasks.verb_parts import KEPT, alone, lock, one_or_many, snapshot
from tasks.waiting_verbs import WAITING_VERBS

CANCELLABLE = OPEN | {Status.CANCELLED}
"""The same again changes nothing."""
RUNNING = When(status=[Status.IN_PROGRESS])
FAILED = When(status=[Status.FAILED])
LOCKED = When(status=[Status.LOCKED])


_cancel = one_or_many(
    lambda task, by, _: transitions.cancel(task.pk, by=by.actor, reason=by.reason),
    lambda tasks, by, _: batches.cancel_all(tasks, by=by.actor, reason=by.reason),
    CANCELLABLE,
)
_requeue = one_or_many(
    lambda task, by, _: transitions.requeue(task.pk, by=by.actor, reason=by.reason),
    lambda tasks, by, _: batches.requeue_all(tasks, by=by.actor, reason=by.reason),
    frozenset({Status.FAILED}),
)


@one_by_one
def _force_cancel(task: Task, by: By, values: Values) -> None:
    agent_acts.refuse_not_running(task)
    transitions.cancel(task.pk, by=by.actor, reason=by.reason, force=True)


UNLOCKS: list[Preview[Task]] = [
    Preview(
        LOCKED,
        ngettext_lazy(
            "Unlocks %(count)d task; its chain goes on.",
            "Unlocks %(count)d tasks; their chains go on.",
            "count",
        ),
        ngettext_lazy(
            "%(count)d task is not locked and will refuse.",
            "%(count)d tasks are not locked and will refuse.",
            "count",
        ),
    ),
]
REQUEUE: Verb[Task] = Verb(
    "requeue",
    _("Requeue"),
    [
        Preview(
            FAILED,
            ngettext_lazy(
                "Puts %(count)d failed task back in the queue, with all its attempts.",
                "Puts %(count)d failed tasks back in the queue, with all their attempts.",
                "count",
            ),
            ngettext_lazy(
                "%(count)d task has not failed and will refuse.",
                "%(count)d tasks have not failed and will refuse.",
                "count",
            ),
        ),
    ],
    _requeue,
    snapshot,
    FAILED,
    at_once=alone,
    columns=KEPT,
    lock=lock,
    help=_("Tries a failed task again, with all its attempts."),
    icon="replay",
)
TASK_VERBS: list[Verb[Task]] = [
    REQUEUE,
    Verb(
        "unlock_to_queued",
        _("Unlock to queued"),
        UNLOCKS,
        by_key(transitions.unlock, Status.QUEUED),
        snapshot,
        LOCKED,
        lock=lock,
        help=_("It is done anew, by whoever has its chain."),
        icon="lock_open",
    ),
    Verb(
        "unlock_to_done",
        _("Unlock to done"),
        UNLOCKS,
        by_key(transitions.unlock, Status.DONE),
        snapshot,
        LOCKED,
        lock=lock,
        help=_("It counts as done, and the task behind it has its turn."),
        icon="done",
    ),
    *WAITING_VERBS,
    Verb(
        "cancel",
        _("Cancel"),
        [
            Preview(
                When(status=OPEN - {Status.IN_PROGRESS}),
                ngettext_lazy(
                    "Cancels %(count)d task that waits.",
                    "Cancels %(count)d tasks that wait.",
                    "count",
                ),
            ),
            Preview(
                When(status=[Status.IN_PROGRESS], cancel_asked_at=False),
                ngettext_lazy(
                    "Asks the agent of %(count)d task in progress to stop.",
                    "Asks the agents of %(count)d tasks in progress to stop.",
                    "count",
                ),
            ),
            Preview(
                When(status=[Status.IN_PROGRESS], cancel_asked_at=True),
                ngettext_lazy(
                    "The agent of %(count)d task has already been asked to stop.",
                    "The agents of %(count)d tasks have already been asked to stop.",
                    "count",
                ),
            ),
            Preview(
                When(status=CANCELLABLE),
                refuses=ngettext_lazy(
                    "%(count)d task has ended and stays as it is.",
                    "%(count)d tasks have ended and stay as they are.",
                    "count",
                ),
            ),
        ],
        _cancel,
        snapshot,
        When(status=OPEN, cancel_asked_at=False),
        at_once=alone,
        columns=KEPT,
        lock=lock,
        help=_("A task that waits ends at once; an agent is asked to stop, and may still finish."),
    ),
    *agent_acts.ACTS,
    Verb(
        "force_cancel",
        _("Cancel at once"),
        [
            Preview(
                RUNNING,
                ngettext_lazy(
                    "Takes %(count)d task in progress from its agent; its result will not count.",
                    "Takes %(count)d tasks in progress from their agents;"
                    " their results will not count.",
                    "count",
                ),
                ngettext_lazy(
                    "%(count)d task is not in progress and will refuse.",
                    "%(count)d tasks are not in progress and will refuse.",
                    "count",
                ),
            ),
        ],
        _force_cancel,
        snapshot,
        RUNNING,
        icon="cancel",
        lock=lock,
        help=_("Does not wait for the agent, whose result will not count."),
        danger=True,
    ),
    PURGE,
]
