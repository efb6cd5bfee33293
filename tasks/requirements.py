"""Which agents may have a task: the rows that tasks share (`models.Requirement`)."""

from collections.abc import Mapping, Sequence

from tasks.models import Requirement, Task


def of(wants: Mapping[str, str], refused_by: Sequence[str] = ()) -> Requirement | None:
    """The requirement of a task that wants this, or None when any agent may have it.

    `wants`: a value for each key; an agent that offers values for a key must offer that one.
    `refused_by`: agents that cannot do it all the same.
    """
    if not wants and not refused_by:
        return None
    return Requirement.objects.get_or_create(wants=dict(wants), refused_by=sorted(set(refused_by)))[
        0
    ]


def refusing(task: Task, agent_id: str) -> Requirement | None:
    """The task's requirement, with this agent among those that cannot do it."""
    known = task.requirement
    return of(known.wants if known else {}, [*(known.refused_by if known else ()), agent_id])


def forget_refusals(task: Task) -> None:
    """Let those try the task again who said that they cannot do it. Saving it is the caller's."""
    if task.requirement and task.requirement.refused_by:
        task.requirement = of(task.requirement.wants)
