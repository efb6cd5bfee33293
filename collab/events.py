"""The events of a job, in the order in which they happened: a view of the journal."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from collab.states import event_name
from events.models import Event, Source

MOST = 500
OF_JOBS = Q(source=Source.COORDINATOR, type__startswith="task.")
"""Agents post events about tasks, too, and by any name: they are not the life of a job."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """An event of the journal about a job; `seq` is its number among those of the job."""

    event: Event
    seq: int

    @property
    def id(self) -> int:
        return int(self.event.pk)

    @property
    def job_id(self) -> UUID:
        return UUID(self.event.task_id)

    @property
    def event_type(self) -> str:
        return event_name(self.event.type, self.event.payload)


def of(job_id: UUID) -> list[JobEvent]:
    """The first events of a job, no more than MOST. A change of a job waits for the one before."""
    rows = Event.objects.about_task(job_id).filter(OF_JOBS).order_by("id")[:MOST]
    return [JobEvent(row, seq) for seq, row in enumerate(rows, start=1)]
