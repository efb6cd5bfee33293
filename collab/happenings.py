"""Events of the journal with what is shown of their jobs, read for many at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db.models import Case, F, Func, IntegerField, TextField, When
from django.db.models.functions import Cast, Left

from api.body import dumps
from api.fields import identifier
from collab import envelope
from collab.broadcasts import broadcasts, ends, is_about_job
from collab.models import CollabJob
from collab.states import event_name
from events.models import Event
from tasks.states import Status

LONGEST_RESULT = 16 * 1024  # bytes; a longer result is read with the job
LONGEST_REASON = 2_000  # characters of why an attempt failed
SHOWN = (
    "user_id",
    "type",
    "status",
    "named_epoch",
    "lease_epoch",
    "agent_id",
    "trace",
    "updated_at",
    "channel__name",
    "collab_letter__reason_code",
    "collab_letter__stage",
)


UNKNOWN_OWNER = UUID(int=0)
"""Of a job that is gone: nobody knows whose it was, so it is no user's."""


class Told(NamedTuple):
    """What subscribers of a channel are sent: an event or a presence, encoded once for all.

    `owner`: of the job that it is about; None where that is nobody's, or where it is about no job.
    """

    kind: str
    text: str
    event_id: int | None = None
    owner: UUID | None = None


@dataclass(frozen=True, eq=False)
class Happening:
    """An event, and its job as it is now; None for what is about no job, or one that is gone."""

    event: Event
    job: CollabJob | None = None

    @property
    def ends(self) -> bool:
        return ends(self.event, self.event.payload)

    @property
    def correlation_id(self) -> str:
        event = self.event
        if self.job:
            return self.job.correlation_id
        return event.task_id or event.agent_id or str(event.channel_id or event.pk)

    @property
    def owner(self) -> UUID | None:
        if self.job is None and is_about_job(self.event):
            return UNKNOWN_OWNER
        return self.job.user_id if self.job else None

    @cached_property
    def told(self) -> Sequence[tuple[str, Told]]:
        """What is sent, each with its channel."""
        sent = []
        for one in broadcasts(self.event, self.event.payload):
            text = dumps(envelope.of(one.type, self), orjson.OPT_UTC_Z).decode()
            told = Told("event", text, self.event.pk, self.owner)
            sent += [(channel, told) for channel in one.channels]
        return sent

    def told_in(self, channel: str) -> Iterator[Told]:
        """What is sent in one channel."""
        return (told for place, told in self.told if place == channel)

    @cached_property
    def row(self) -> dict[str, object]:
        """The event as seed 003 shows it; see the view `job_events`."""
        event = self.event
        return {
            "id": event.pk,
            "job_id": event.task_id,
            "event_type": event_name(event.type, event.payload),
            "payload": event.payload,
            "actor": event.actor,
            "correlation_id": self.correlation_id,
            "created_at": event.created_at,
        }


def happenings(events: Iterable[Event]) -> Iterator[Happening]:
    """The events with their jobs, which one query reads; those of sweeps and commands are left out.

    Few events of the journal lack the job of a task that has one, so the tasks are asked.
    """
    found = list(events)
    ids = {identifier(event.task_id or "") for event in found if is_about_job(event)}
    jobs = shown_jobs(ids) if ids else {}
    for event in found:
        if not is_about_job(event):
            yield Happening(event)
            continue
        job = jobs.get(event.task_id or "")
        if job is None or job.job_id is None:
            yield Happening(event, job)


def shown_jobs(ids: Iterable[UUID]) -> dict[str, CollabJob]:
    """The tasks of these ids, with what is shown of a job and no more."""
    size = Func(Cast("result", TextField()), function="octet_length", output_field=IntegerField())
    is_short = When(status=Status.DONE, result_size__lte=LONGEST_RESULT, then=F("result"))
    rows: Any = (
        CollabJob.objects.filter(pk__in=ids)
        .select_related("channel", "collab_letter")
        .only("job_id", *SHOWN)
        .alias(result_size=size)
        .annotate(short_result=Case(is_short), short_reason=Left("fail_reason", LONGEST_REASON))
    )
    return {str(job.pk): job for job in rows}
