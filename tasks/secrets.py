"""The secrets of a task: what only its holder gets, and what is masked elsewhere.

They are environment, and the credential of its source under a name of its own (`repositories`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import transaction

from accounts import sealing
from agents import transitions as agents
from agents.models import Agent
from events import journal
from tasks import leases
from tasks.masking import MASK, Masker, inside, masker
from tasks.models import COMMAND, Task, TaskSecrets
from tasks.repositories import CREDENTIAL, hidden_in
from tasks.rows import Outcome


def keep(task_id: UUID, secrets: Mapping[str, str]) -> None:
    """Seal the secrets of a new task."""
    if secrets:
        TaskSecrets.objects.create(task_id=task_id, sealed=sealing.seal(secrets))


def copy(task_id: UUID, from_task: UUID | None) -> None:
    """Give a new task the secrets of another."""
    for sealed in TaskSecrets.objects.filter(task=from_task).values_list("sealed", flat=True):
        TaskSecrets.objects.create(task_id=task_id, sealed=sealed)


def of(task_id: UUID) -> dict[str, str]:
    """Every secret of a task by its name. Raises Unopenable."""
    sealed = TaskSecrets.objects.filter(task=task_id).values_list("sealed", flat=True).first()
    return {} if sealed is None else sealing.opened(bytes(sealed))


@dataclass(frozen=True, slots=True)
class ResealedTasks:
    """How many secrets were sealed anew, how many could not be opened, and the last task."""

    last: UUID | None
    done: int = 0
    lost: int = 0


@transaction.atomic
def reseal(*, after: UUID | None, most: int) -> ResealedTasks:
    """Seal the secrets of the next `most` tasks anew, where another key has sealed them."""
    rows = TaskSecrets.objects.order_by("pk").select_for_update(no_key=True)
    found = list(rows.filter(pk__gt=after)[:most] if after else rows[:most])
    done = lost = 0
    for row in found:
        try:
            sealed = sealing.resealed(bytes(row.sealed))
        except sealing.Unopenable:
            lost += 1
            continue
        if sealed is not None:
            done += TaskSecrets.objects.filter(pk=row.pk).update(sealed=sealed)
    return ResealedTasks(found[-1].pk if found else None, done, lost)


def are_of_another(task: Task, agent: Agent) -> bool:
    """Whether the task has secrets, and is of another user than the agent is."""
    if task.type != COMMAND or None in {task.user_id, agent.user_id}:
        return False
    return task.user_id != agent.user_id and TaskSecrets.objects.filter(task=task).exists()


def masker_of(task_id: UUID) -> Masker:
    """Takes the secrets of this task out of a text; all of it where they cannot be opened."""
    try:
        secrets = of(task_id)
    except sealing.Unopenable:
        return _all_masked
    credential = secrets.pop(CREDENTIAL, "")
    return masker({*secrets.values(), *hidden_in(credential)})


def _all_masked(text: str) -> str:
    return MASK if text else text


def masked(text: str, task_id: UUID, kind: str) -> str:
    """What is said about a task of this type, without secrets; only commands have any."""
    return masker_of(task_id)(text) if text and kind == COMMAND else text


def masked_outcomes(outcomes: Sequence[Outcome], kinds: Mapping[UUID, str]) -> list[Outcome]:
    """Reports without the secrets of the tasks that they are about, by the types of these."""
    return [_masked(one) if kinds.get(one.task_id) == COMMAND else one for one in outcomes]


def _masked(outcome: Outcome) -> Outcome:
    mask = masker_of(outcome.task_id)
    return replace(outcome, reason=mask(outcome.reason), result=inside(outcome.result, mask))


@transaction.atomic
def given(task_id: UUID, *, agent_id: str, epoch: int | None) -> dict[str, str]:
    """The secrets of a task for the agent that holds it by this lease; renews presence.

    Raises TaskUnknown, NotHolder or LeaseLost.
    """
    agents.hear(agent_id)
    task = leases.held(task_id, agent_id=agent_id, epoch=epoch)
    journal.attribute(actor=f"agent:{agent_id}")
    journal.record("task.secrets_given", agent_id=agent_id, task_id=str(task.pk))
    return of(task_id)
