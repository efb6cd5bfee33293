"""What a claim costs on a long queue: two coordinators side by side, asked in turn.

One has 10,000 queued tasks; the other a million, and a million finished ones. On both half of the
queued tasks are in chains of ten, most of them owned, as the engine would have left them: in an
owned chain the task whose turn it is is reserved for the owner, those behind it are blocked.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median
from uuid import UUID

import orjson
import psycopg

from benchmarks import queue
from benchmarks.coordinator import Coordinator
from benchmarks.over_http import (
    CLAIM,
    REPORT,
    Connection,
    HeldTask,
    claimed,
    outcomes,
    request,
)
from benchmarks.queue import CHANNEL
from benchmarks.results import Section, TimeRatio, time_heads
from benchmarks.run import Run

SMALL = 10_000
CHAIN_LENGTH = 10
OWNED = 0.9
SIDE_CHANNEL = "bench-side"
WORKERS = 100
WARM_UP = 30
ONE_CHANNEL = "one channel, over HTTP"
TWO_CHANNELS = "two channels"
OWNER = "the owner of a chain"

Claim = Callable[[str], tuple[float, list[HeldTask]]]  # by an agent: its seconds and tasks


@dataclass(frozen=True)
class QueueSize:
    """How many tasks a queue has."""

    queued: int
    finished: int

    @property
    def chains(self) -> int:
        return self.queued // 2 // CHAIN_LENGTH

    @property
    def owned(self) -> int:
        return int(self.chains * OWNED)


def measure(run: Run) -> list[Section]:
    """The median times of each kind of claim, on the small queue and on the large."""
    large = 2_000 if run.quick else run.large
    sizes = {"small": QueueSize(min(SMALL, large), 0), "large": QueueSize(large, large)}
    ratios = []
    with ExitStack() as stack:
        queues = {}
        for name, size in sizes.items():
            coordinator, db = stack.enter_context(run.coordinator(name))
            run.say(
                f"  filling the {name} queue: {size.queued:,} queued, {size.finished:,} finished"
            )
            queues[name] = stack.enter_context(closing(FilledQueue(coordinator, db, size)))
        kinds = {name: filled.kinds() for name, filled in queues.items()}
        for kind in kinds["small"]:
            times = medians({name: kinds[name][kind] for name in kinds}, claims_of(run))
            ratios.append(TimeRatio(kind, times["small"], times["large"]))
            run.say(f"  {kind}: {times['small']:.2f} ms, {times['large']:.2f} ms")
    return [Section(time_heads("claim", "small", "large"), ratios)]


def claims_of(run: Run) -> int:
    """How many claims of each kind are measured."""
    return 5 if run.quick else 200


def medians(kinds: "Mapping[str, TimedClaim]", claims: int) -> dict[str, float]:
    """The median milliseconds of each kind; they take turns, beginning with another each time."""
    times: dict[str, list[float]] = {name: [] for name in kinds}
    order = list(kinds)
    for _ in range(min(WARM_UP, claims) + claims):
        order.append(order.pop(0))
        for name in order:
            times[name].append(kinds[name].claim() * 1000)
    return {name: median(took[-claims:]) for name, took in times.items()}


class FilledQueue:
    """One coordinator with its queue, and the kinds of claims that are measured on it."""

    def __init__(self, coordinator: Coordinator, db: psycopg.Connection, size: QueueSize) -> None:
        self.connection = Connection(coordinator.port)
        self.channel = coordinator.open_channel(CHANNEL)
        side_channel = coordinator.open_channel(SIDE_CHANNEL)
        fill(db, size, self.channel, side_channel)
        self.owners = (f"owner-{number}" for number in range(1, size.owned + 1))

    def close(self) -> None:
        self.connection.close()

    def kinds(self) -> dict[str, "TimedClaim"]:
        one, both = self._over_http([CHANNEL]), self._over_http([CHANNEL, SIDE_CHANNEL])
        return {
            ONE_CHANNEL: TimedClaim(self, one, repeat("fast")),
            TWO_CHANNELS: TimedClaim(self, both, repeat("slow")),
            OWNER: TimedClaim(self, one, self.owners),
        }

    def _over_http(self, channels: list[str]) -> Claim:
        def claim(agent: str) -> tuple[float, list[HeldTask]]:
            body = {"agent_id": agent, "channels": channels, "max_tasks": 1}
            claim_request = request(CLAIM, orjson.dumps(body))
            started = time.perf_counter()
            response = self.connection.ask(claim_request)
            return time.perf_counter() - started, claimed(response, 1)

        return claim

    def complete(self, agent: str, tasks: list[HeldTask]) -> None:
        """Complete claimed tasks; this is not measured."""
        body = f'{{"agent_id":"{agent}","outcomes":[{outcomes(tasks)}]}}'
        self.connection.ask(request(REPORT, body.encode()))


@dataclass(frozen=True)
class TimedClaim:
    """One kind of claim on one queue."""

    filled: FilledQueue
    by: Claim
    agents: Iterator[str]

    def claim(self) -> float:
        """How many seconds the claim took; its task is done afterwards."""
        agent = next(self.agents)
        took, tasks = self.by(agent)
        self.filled.complete(agent, tasks)
        return took


def repeat(agent: str) -> Iterator[str]:
    while True:
        yield agent


def fill(db: psycopg.Connection, size: QueueSize, channel: UUID, side_channel: UUID) -> None:
    """Fill the queue. Tasks without a chain come first, a tenth of them in the side channel."""
    here = f"'{channel}'::uuid"
    queue.insert(
        db,
        size.finished,
        id="uuidv7('-1 day')",
        channel_id=here,
        queue_at=queue.queue_at(size.finished, "1 day"),
        status="'done'",
        agent_id=f"'worker-' || n % {WORKERS}",
        last_holder=f"'worker-' || n % {WORKERS}",
        lease_epoch="1",
        closed_epoch="1",
        result=f"'{queue.RESULT}'",
        claimed_at="now() - interval '1 hour'",
        finished_at="now() - interval '1 hour'",
    )
    alone = size.queued - size.chains * CHAIN_LENGTH
    queue.insert(
        db,
        alone,
        channel_id=f"CASE WHEN n % 10 = 0 THEN '{side_channel}'::uuid ELSE {here} END",
        queue_at=queue.queue_at(alone, "1 hour"),
    )
    queue.insert_rows(
        db,
        "chains_chain",
        {
            "id": "uuidv7()",
            "channel_id": here,
            "name": "'chain ' || n",
            "description": "''",
            "status": f"CASE WHEN n <= {size.owned} THEN 'in_progress' ELSE 'queued' END",
            "on_failure": "'continue'",
            "owner_id": f"CASE WHEN n <= {size.owned} THEN 'owner-' || n END",
            "created_at": queue.queue_at(size.chains),
        },
        f"generate_series(1, {size.chains}) AS n",
    )
    queue.insert_rows(
        db,
        "tasks_task",
        queue.QUEUED
        | {
            "channel_id": here,
            "chain_id": "chain.id",
            "sequence": "n",
            "blocked": "n > 1",
            "reserved_for_id": "CASE WHEN n = 1 THEN chain.owner_id END",
            "queue_at": "chain.created_at",
        },
        f"chains_chain AS chain, generate_series(1, {CHAIN_LENGTH}) AS n",
    )
    _register_agents(db, size)
    for table in ("tasks_task", "chains_chain", "agents_agent"):
        db.execute(psycopg.sql.SQL(f"VACUUM (ANALYZE) {table}"))
    db.execute("CHECKPOINT")


def _register_agents(db: psycopg.Connection, size: QueueSize) -> None:
    """Make owners and workers that were seen a minute ago: neither announced nor lost."""
    seen = {"last_seen_at": "now() - interval '1 minute'"}
    owners = f"generate_series(1, {size.owned}) AS n"
    queue.insert_rows(db, "agents_agent", {"id": "'owner-' || n"} | seen, owners)
    workers = f"generate_series(0, {WORKERS - 1}) AS n"
    queue.insert_rows(db, "agents_agent", {"id": "'worker-' || n"} | seen, workers)
