"""What a claim costs on a long line: two coordinators side by side, asked in turn.

One has 10,000 queued tasks; the other a million, and a million finished ones. On both half of the
queued tasks are in chains of ten, most of them owned, as the engine would have left them: in an
owned chain the task whose turn it is is reserved for the owner, those behind it are blocked.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row

from benchmarks import line, machine
from benchmarks.coordinator import Coordinator, CoordinatorFailed, running
from benchmarks.line import CHANNEL
from benchmarks.over_http import CLAIM, REPORT, Connection, Held, held, outcomes, request
from benchmarks.results import Growth
from tasks import fastlane

SMALL = 10_000
CHAIN_LENGTH = 10
OWNED = 0.9
SIDE_CHANNEL = "bench-side"
WORKERS = 100
WARM_UP = 30

Say = Callable[[str], None]
Claim = Callable[[str], tuple[float, list[Held]]]  # by an agent: seconds, what it was given


@dataclass(frozen=True)
class Size:
    """How long a line is."""

    queued: int
    finished: int

    @property
    def chains(self) -> int:
        return self.queued // 2 // CHAIN_LENGTH

    @property
    def owned(self) -> int:
        return int(self.chains * OWNED)


def measure(folder: Path, large: int, claims: int, say: Say) -> tuple[str, list[Growth]]:
    """The median times of so many claims of each kind, and what they were measured on."""
    sizes = {"small": Size(min(SMALL, large), 0), "large": Size(large, large)}
    with ExitStack() as stack:
        sides = []
        for name, size in sizes.items():
            coordinator = stack.enter_context(running(folder / name))
            db = stack.enter_context(coordinator.connect())
            say(f"filling the {name} line: {size.queued:,} queued, {size.finished:,} finished")
            sides.append(stack.enter_context(closing(Side(coordinator, db, size))))
        ran_on = machine.description(sides[0].db)
        kinds = zip(sides[0].kinds().items(), sides[1].kinds().values(), strict=True)
        grown = [
            _compare(name, (on_small, on_large), claims) for (name, on_small), on_large in kinds
        ]
        for one in grown:
            say(f"  {one.name:<44}{one.small:.2f} ms, {one.large:.2f} ms   ratio {one.ratio:.2f}")
        return ran_on, grown


def _compare(name: str, sides: tuple["Timed", "Timed"], claims: int) -> Growth:
    """Claim on one side and on the other in turn, first on this one, then on that."""
    times: dict[int, list[float]] = {0: [], 1: []}
    warm_up = min(WARM_UP, claims)
    for number in range(warm_up + claims):
        for which in (0, 1) if number % 2 else (1, 0):
            times[which].append(sides[which].claim() * 1000)
    return Growth(name, *(median(times[which][warm_up:]) for which in (0, 1)))


class Side:
    """One coordinator with its line, and the kinds of claims that are measured on it."""

    def __init__(self, coordinator: Coordinator, db: psycopg.Connection, size: Size) -> None:
        self.db = db
        self.connection = Connection(coordinator.port)
        self.channel = coordinator.open_channel(CHANNEL)
        side_channel = coordinator.open_channel(SIDE_CHANNEL)
        fill(db, size, self.channel, side_channel)
        self.owners = (f"owner-{number}" for number in range(1, size.owned + 1))
        self.session = psycopg.connect(
            coordinator.url,
            autocommit=True,
            row_factory=dict_row,
            options="-c plan_cache_mode=force_generic_plan",
        )

    def close(self) -> None:
        self.connection.close()
        self.session.close()

    def kinds(self) -> dict[str, "Timed"]:
        both = [CHANNEL, SIDE_CHANNEL]
        return {
            "the statement of the fast way, in SQL": Timed(self, self._straight, repeat("sql")),
            "the fast way, over HTTP": Timed(self, self._over_http([CHANNEL]), repeat("fast")),
            "the slow way: two channels": Timed(self, self._over_http(both), repeat("slow")),
            "the slow way: the owner of a chain": Timed(
                self, self._over_http([CHANNEL]), self.owners
            ),
        }

    def _over_http(self, channels: list[str]) -> Claim:
        def claim(agent: str) -> tuple[float, list[Held]]:
            wish = {"agent_id": agent, "channels": channels, "max_tasks": 1}
            asked = request(CLAIM, orjson.dumps(wish))
            started = time.perf_counter()
            answer = self.connection.ask(asked)
            return time.perf_counter() - started, held(answer, 1)

        return claim

    def _straight(self, agent: str) -> tuple[float, list[Held]]:
        claim = fastlane.statement(False, "id", 1)
        values = {
            "agent": agent,
            "actor": f"agent:{agent}",
            "request": "",
            "protocol": "",
            "channel": self.channel,
            "lease": None,
        }
        with psycopg.RawCursor(self.session, row_factory=dict_row) as cursor:
            started = time.perf_counter()
            row = cursor.execute(claim.text, claim.arguments(values), prepare=True).fetchone()
            took = time.perf_counter() - started
        if row is None or row["id"] is None:
            raise CoordinatorFailed("The statement of the fast way has claimed nothing.")
        return took, [Held(str(row["id"]), row["lease_epoch"])]

    def report(self, agent: str, tasks: list[Held]) -> None:
        """Complete what a claim was given; this is not measured."""
        body = f'{{"agent_id":"{agent}","outcomes":[{outcomes(tasks)}]}}'
        self.connection.ask(request(REPORT, body.encode()))


@dataclass(frozen=True)
class Timed:
    """One kind of claim on one side."""

    side: Side
    give: Claim
    agents: Iterator[str]

    def claim(self) -> float:
        """How many seconds the claim took; its task is done afterwards."""
        agent = next(self.agents)
        took, tasks = self.give(agent)
        self.side.report(agent, tasks)
        return took


def repeat(agent: str) -> Iterator[str]:
    while True:
        yield agent


def fill(db: psycopg.Connection, size: Size, channel: UUID, side_channel: UUID) -> None:
    """Make the line. The tasks without a chain come first in it, a tenth in the side channel."""
    here = f"'{channel}'::uuid"
    line.insert(
        db,
        size.finished,
        id="uuidv7('-1 day')",
        channel_id=here,
        queue_at=line.in_line(size.finished, "1 day"),
        status="'done'",
        agent_id=f"'worker-' || n % {WORKERS}",
        last_holder=f"'worker-' || n % {WORKERS}",
        lease_epoch="1",
        closed_epoch="1",
        result=f"'{line.RESULT}'",
        claimed_at="now() - interval '1 hour'",
        finished_at="now() - interval '1 hour'",
    )
    alone = size.queued - size.chains * CHAIN_LENGTH
    line.insert(
        db,
        alone,
        channel_id=f"CASE WHEN n % 10 = 0 THEN '{side_channel}'::uuid ELSE {here} END",
        queue_at=line.in_line(alone, "1 hour"),
    )
    line.insert_rows(
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
            "created_at": line.in_line(size.chains),
        },
        f"generate_series(1, {size.chains}) AS n",
    )
    line.insert_rows(
        db,
        "tasks_task",
        line.PLAIN
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


def _register_agents(db: psycopg.Connection, size: Size) -> None:
    """Make owners and workers: not seen for a minute, so that nobody is announced; not lost."""
    seen = {"last_seen_at": "now() - interval '1 minute'"}
    owners = f"generate_series(1, {size.owned}) AS n"
    line.insert_rows(db, "agents_agent", {"id": "'owner-' || n"} | seen, owners)
    workers = f"generate_series(0, {WORKERS - 1}) AS n"
    line.insert_rows(db, "agents_agent", {"id": "'worker-' || n"} | seen, workers)
