"""The snapshot of `/v1/dashboard`: a bounded picture of the coordinator."""

import threading
import time
from collections.abc import Iterable

from django.db.models import QuerySet

from agents.answers import ListedAgentSerializer
from agents.models import Agent
from api import sizes
from api.renderers import dumps
from chains.answers import ChainSerializer
from chains.models import Chain, ChainStatus
from dashboard import rows
from events.answers import EventSerializer
from events.models import Event
from tasks import agent_views, tallies
from tasks.answers import ChannelSerializer
from tasks.models import Channel, Task

MOST_OPEN = 500
MOST_FINISHED = 100
MOST_EVENTS = 60
KEPT_FOR = 1.0  # seconds

OPEN_CHAINS = (ChainStatus.IN_PROGRESS, ChainStatus.LOCKED, ChainStatus.QUEUED)
ENDED_CHAINS = (ChainStatus.FAILED, ChainStatus.DONE)


class Snapshot:
    """The picture as JSON, made by one thread at a time and kept for a second."""

    def __init__(self) -> None:
        self.making = threading.Lock()
        self.made_at = float("-inf")
        self.json = b""

    def read(self) -> bytes:
        """The picture, at most a second old; a caller that comes while it is made waits for it."""
        with self.making:
            if time.monotonic() - self.made_at >= KEPT_FOR:
                begun = time.monotonic()
                self.json = dumps(picture())
                self.made_at = begun
            return self.json


def picture() -> dict[str, object]:
    """Agents, channels, chains, tasks and events, of each at most some hundreds.

    Open tasks come first, those in progress or locked before those that wait; then the latest
    that ended. Payloads and results of tasks, which may be large, are left to the task itself;
    where other fields are large, there are fewer rows.
    """
    tasks = _open_tasks() + _tasks(Task.objects.latest_finished(), MOST_FINISHED)
    newest = Agent.objects.with_online().order_by("-last_seen_at", "id")
    agents = agent_views.with_current_tasks(sizes.first(newest, MOST_OPEN))
    channels = Channel.objects.order_by("id")
    events = Event.objects.order_by("-id")
    return {
        "agents": [ListedAgentSerializer.shown(row) for row in agents],
        "channels": [ChannelSerializer.shown(row) for row in sizes.first(channels, MOST_OPEN)],
        "chains": [ChainSerializer.shown(row) for row in _chains(tasks)],
        "tasks": tasks,
        "events": [EventSerializer.shown(row) for row in sizes.first(events, MOST_EVENTS)],
        "counts": tallies.by_status(),
        "counts_estimated": [],  # older pages read it
    }


def _tasks(found: QuerySet[Task], most: int) -> list[rows.Row]:
    ids = list(found.values_list("pk", flat=True)[:most])
    kept = sizes.fitting(found.defer(*rows.LARGE), ids)
    return rows.tasks(found.filter(pk__in=kept), rows.LARGE)


def _open_tasks() -> list[rows.Row]:
    """The first of each open status, by one query each, because an index has them in order."""
    found: list[rows.Row] = []
    for some in (Task.objects.in_progress(), Task.objects.locked(), Task.objects.queued()):
        found += _tasks(some.order_by("id"), MOST_OPEN - len(found))
    return found


def _chains(tasks: Iterable[rows.Row]) -> list[Chain]:
    """Open chains, the latest that have ended, and the chains of these tasks."""
    found: dict[object, Chain] = {}
    for status in OPEN_CHAINS:
        some = Chain.objects.filter(status=status).order_by("id")
        found |= _by_id(sizes.first(some, max(0, MOST_OPEN - len(found))))
    for status in ENDED_CHAINS:
        found |= _by_id(
            sizes.first(Chain.objects.filter(status=status).order_by("-id"), MOST_FINISHED)
        )
    ids = {task["chain_id"] for task in tasks if "chain_id" in task}
    others = sorted(ids - found.keys(), key=str)
    found |= Chain.objects.in_bulk(sizes.fitting(Chain.objects.all(), others))
    return sorted(found.values(), key=lambda chain: chain.pk)


def _by_id(chains: Iterable[Chain]) -> dict[object, Chain]:
    return {chain.pk: chain for chain in chains}
