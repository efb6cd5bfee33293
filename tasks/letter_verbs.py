"""What people may do to dead letters beside requeueing them: delete them for good."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.conditions import Values, When
from console.verbs import By, Preview, Verb, VerbResult
from tasks import dead_letters
from tasks.models import Task
from tasks.states import Status
from tasks.verb_parts import alone, lock

FAILED = When(status=[Status.FAILED])
KEPT = ("title", "status", "attempts", "dead_letter")


def _snapshot(task: Task) -> dict[str, object]:
    """What is left of a task in the audit once it is gone."""
    return {name: getattr(task, name) for name in KEPT}


def _purge(rows: QuerySet[Task], by: By, values: Values) -> VerbResult:
    ids: list[UUID] = list(rows.values_list("pk", flat=True))
    result = dead_letters.purge(ids, by.actor, by.reason)
    handled = VerbResult()
    handled.done += [key for key in ids if key not in result.refused]
    handled.refused += result.refused.items()
    return handled


PURGE: Verb[Task] = Verb(
    "purge",
    _("Delete for good"),
    [
        Preview(
            FAILED,
            ngettext_lazy(
                "Deletes %(count)d failed task with its attempts; nothing brings it back.",
                "Deletes %(count)d failed tasks with their attempts; nothing brings them back.",
                "count",
            ),
            ngettext_lazy(
                "%(count)d task has not failed and will refuse.",
                "%(count)d tasks have not failed and will refuse.",
                "count",
            ),
        ),
    ],
    _purge,
    _snapshot,
    FAILED,
    at_once=alone,
    columns=KEPT,
    icon="delete_forever",
    lock=lock,
    help=_("Nothing brings it back; requeue it where it may still be done."),
    danger=True,
)
