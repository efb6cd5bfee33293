"""Every question asked about tasks has a name here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower, Now

from agents.querysets import unheard
from tasks.queue import ORDER, READY
from tasks.states import FINISHED, OPEN, Status

if TYPE_CHECKING:
    from tasks.models import Channel, Task  # noqa: F401  (named in a string below)


class ChannelQuerySet(models.QuerySet["Channel"]):
    def named(self, names: Collection[str]) -> Self:
        """Channels of these names, without regard to case."""
        lowered = [Lower(models.Value(name)) for name in names]
        return self.alias(lowered=Lower("name")).filter(lowered__in=lowered)

    def by_name(self, names: Collection[str]) -> dict[str, Channel]:
        """The channel of each of these names, as it was asked for; unknown ones are left out."""
        found = self.raw(
            "SELECT c.*, asked.name AS asked FROM unnest(%s::text[]) asked (name)"
            " JOIN tasks_channel c ON lower(c.name) = lower(asked.name)",
            [list(names)],
        )
        return {vars(channel)["asked"]: channel for channel in found}

    def giving(self, ids: Collection[UUID], names: Collection[str] = ()) -> list[UUID]:
        """Those of these channels that are not paused; the names count where no ids are given."""
        wanted = self.filter(pk__in=ids) if ids else self.named(names)
        return list(wanted.filter(paused_at=None).order_by().values_list("pk", flat=True))


class TaskQuerySet(models.QuerySet["Task"]):
    def open(self) -> Self:
        return self.filter(status__in=OPEN)

    def finished(self) -> Self:
        return self.filter(status__in=FINISHED)

    def latest_finished(self) -> Self:
        """Finished tasks, the one that ended last on top; an index has them in this order."""
        return self.finished().filter(finished_at__isnull=False).order_by("-finished_at", "id")

    def queued(self) -> Self:
        return self.filter(status=Status.QUEUED)

    def of_job(self, job_id: UUID) -> Self:
        """A job's tasks; their ids are greater than its own, and follow it in the primary key."""
        return self.filter(job=job_id, pk__gt=job_id)

    def done(self) -> Self:
        return self.filter(status=Status.DONE)

    def failed(self) -> Self:
        return self.filter(status=Status.FAILED)

    def locked(self) -> Self:
        return self.filter(status=Status.LOCKED)

    def active(self) -> Self:
        """Tasks that keep their chain from giving out another: in progress or locked."""
        return self.filter(status__in=[Status.IN_PROGRESS, Status.LOCKED])

    def in_progress(self) -> Self:
        return self.filter(status=Status.IN_PROGRESS)

    def held_by(self, agent_id: str) -> Self:
        return self.in_progress().filter(agent=agent_id)

    def with_turn(self) -> Self:
        """Queued tasks whose turn it is in their chain, or that stand alone."""
        return self.queued().filter(blocked=False)

    def ready(self) -> Self:
        """Tasks that a claim may give out now, to somebody."""
        return self.filter(READY)

    def free(self) -> Self:
        return self.filter(free=True)

    def binding(self, agent_id: str | RawSQL) -> Self:
        """Open tasks reserved for the agent: while there is one, it claims no other."""
        return self.filter(reserved_for=agent_id)

    def due(self) -> Self:
        """Postponed tasks whose time has come."""
        return self.filter(postponed=True, available_at__lte=Now())

    def dead_letters(self) -> Self:
        """Tasks that failed for good and wait for a person, the latest on top."""
        return self.exclude(dead_letter="").order_by("-finished_at", "id")

    def in_order(self) -> Self:
        return self.order_by(*ORDER)

    def cancel_asked(self) -> Self:
        return self.filter(cancel_asked_at__isnull=False)

    def current_of(self, agent_ids: Iterable[str]) -> Self:
        """For each agent the task in progress that it claimed last."""
        held = self.in_progress().filter(agent__in=agent_ids)
        return held.order_by("agent_id", "-claimed_at", "-id").distinct("agent_id")

    def expired(self) -> Self:
        """Tasks whose lease has run out; none while their agents could not be heard."""
        return self.in_progress().filter(~unheard(), lease_expires_at__lte=Now())

    def chains_of(self, task_ids: Collection[UUID]) -> list[UUID]:
        """The chains of these tasks. Read without a lock: a task never changes its chain."""
        with_chain = self.filter(pk__in=task_ids, chain__isnull=False)
        return sorted(with_chain.order_by().values_list("chain", flat=True).distinct())

    def lock(self) -> Self:
        """The rows, locked in the order of their ids until the transaction ends."""
        return self.order_by("id").select_for_update(no_key=True)

    def lock_unless_busy(self) -> Self:
        """The rows that no other transaction has locked, locked until this one ends."""
        return self.select_for_update(no_key=True, skip_locked=True)

    def lock_to_delete(self) -> Self:
        """The rows that nobody else has locked or refers to anew, locked to be deleted."""
        return self.select_for_update(skip_locked=True)

    def answers_to(self, session_token: str) -> Self:
        """Session requests by the token that their agent was given."""
        return self.filter(~Q(session_token=""), session_token=session_token)
