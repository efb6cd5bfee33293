"""What people do to a running task in its agent's place: they end it, or type into its session."""

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.conditions import Values, When
from console.verbs import By, Preview, Verb, making, one_by_one
from problems import Invalid
from tasks import inputs, reports, transitions
from tasks.exceptions import WrongStatus
from tasks.fields import ResultField, text_field
from tasks.models import InputKind, Task, TaskInput
from tasks.rows import Outcome
from tasks.states import Status

RUNNING = When(status=[Status.IN_PROGRESS])
REFUSE = ngettext_lazy(
    "%(count)d task is not in progress and will refuse.",
    "%(count)d tasks are not in progress and will refuse.",
    "count",
)


def refuse_not_running(task: Task) -> None:
    if task.status != Status.IN_PROGRESS:
        raise WrongStatus(f"Task {task.pk} is {task.status}.")


def _snapshot(task: Task) -> dict[str, object]:
    return {"status": task.status, "agent": task.agent_id, "attempts": task.attempts}


def _lock(rows: QuerySet[Task], values: Values) -> None:
    transitions.lock(rows.values_list("pk", flat=True))


def _report(task: Task, outcome: Outcome, by: By) -> None:
    refuse_not_running(task)
    [verdict], _ = reports.report_in_transaction(
        [outcome], agent_id=None, by=by.actor, why=by.reason
    )
    if verdict.problem:
        raise verdict.problem


@one_by_one
def _complete(task: Task, by: By, values: Values) -> None:
    _report(task, Outcome(task.pk, True, values.get("result")), by)


@one_by_one
def _fail(task: Task, by: By, values: Values) -> None:
    """The task keeps the reason too."""
    retriable = bool(values.get("retriable"))
    _report(task, Outcome(task.pk, False, reason=by.reason, retriable=retriable), by)


def _send(task: Task, by: By, values: Values) -> TaskInput:
    refuse_not_running(task)
    if not values.get("text") and not values.get("send_enter"):
        raise Invalid(str(_("Type something, or let Enter be pressed.")))
    return inputs.send(
        task.pk,
        task.agent_id or "",
        kind=str(values["kind"]),
        text=str(values.get("text", "")),
        send_enter=bool(values.get("send_enter")),
        idempotency_key="",
        by=by.actor,
    )


ACTS: list[Verb[Task]] = [
    Verb(
        "complete",
        _("Complete"),
        [
            Preview(
                RUNNING,
                ngettext_lazy(
                    "Ends %(count)d task in progress as done, with this result.",
                    "Ends %(count)d tasks in progress as done, with this result.",
                    "count",
                ),
                REFUSE,
            ),
        ],
        _complete,
        _snapshot,
        RUNNING,
        fields={
            "result": ResultField(
                label=_("Result"), required=False, help_text=_("Text or JSON; may stay empty.")
            )
        },
        lock=_lock,
        help=_("Ends it as done in its agent's place."),
        icon="done",
    ),
    Verb(
        "fail",
        _("Fail"),
        [
            Preview(
                RUNNING,
                ngettext_lazy(
                    "Ends the attempt at %(count)d task in progress as failed.",
                    "Ends the attempts at %(count)d tasks in progress as failed.",
                    "count",
                ),
                REFUSE,
            ),
            Preview(
                lambda rows, values: RUNNING(rows, values).exclude(cancel_asked_at=None),
                ngettext_lazy(
                    "%(count)d of them is cancelled, as was asked.",
                    "%(count)d of them are cancelled, as was asked.",
                    "count",
                ),
            ),
        ],
        _fail,
        _snapshot,
        RUNNING,
        fields={
            "retriable": forms.BooleanField(label=_("It may be tried again"), required=False),
        },
        lock=_lock,
        help=_("Ends it as failed in its agent's place; the task keeps the reason."),
        icon="error",
    ),
    Verb(
        "send_input",
        _("Send input"),
        [
            Preview(
                RUNNING,
                ngettext_lazy(
                    "Types this into the session of %(count)d task in progress.",
                    "Types this into the sessions of %(count)d tasks in progress.",
                    "count",
                ),
                REFUSE,
            ),
        ],
        making(_send, lambda row: {"task": str(getattr(row, "task_id", ""))}),
        _snapshot,
        RUNNING,
        fields={
            "kind": forms.ChoiceField(
                label=_("What"),
                choices=[(InputKind.TEXT, _("text")), (InputKind.KEYS, _("keys, one name a line"))],
            ),
            "text": text_field(_("Input")),
            "send_enter": forms.BooleanField(
                label=_("Press Enter after it"), required=False, initial=True
            ),
        },
        asks_reason=False,
        lock=_lock,
        help=_("Its agent gets this as if it had been typed there."),
        icon="keyboard",
    ),
]
