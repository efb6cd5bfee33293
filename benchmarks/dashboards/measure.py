"""All that is measured of open dashboards, on a coordinator of its own."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from uuid import UUID

import psycopg

from benchmarks import machine, over_http, queue
from benchmarks.coordinator import Coordinator, CoordinatorFailed
from benchmarks.dashboards.audience import Audience, ReconnectPages, audience
from benchmarks.dashboards.delivery import Delivery
from benchmarks.machine import Meter
from benchmarks.over_http import Connection
from benchmarks.results import Finding, Section, finding_heads
from benchmarks.run import Run

WORKERS = 8
ENOUGH = 10_000  # tasks for each second at full speed
PATIENCE = 30.0  # seconds after which an event that has not arrived is lost
SOON, LATEST = 1.0, 3.0  # seconds, for the median and the 99th percentile
LEAST_RATIO = 0.75
MOST_MEMORY = 300.0  # MiB


@dataclass(frozen=True)
class DashboardSize:
    """How many pages watch, how many are idle and how long, how fast and how long tasks are worked
    meanwhile."""

    pages: int = 500
    idle: int = 1_000
    settle: float = 5.0
    rate: int = 100
    seconds: float = 20.0


QUICK = DashboardSize(pages=10, idle=20, settle=0.5, seconds=1.0)


def measure(run: Run) -> list[Section]:
    """Findings about idle pages, about pages that watch, and about claims meanwhile."""
    size = QUICK if run.quick else DashboardSize()
    with (
        run.coordinator("dashboards") as (coordinator, db),
        audience(coordinator.port) as pages,
    ):
        channel = coordinator.open_channel(queue.CHANNEL)
        # The journal stays whole from its first event, so that a page can resume from any of them.
        tasks = int(size.rate * size.seconds * 2) + size.rate
        queue.insert(db, tasks, channel_id=f"'{channel}'::uuid", queue_at=queue.queue_at(tasks))
        work_steadily(coordinator, size.rate, 0.5)  # connections and caches are there
        run.say(f"  {size.idle:,} idle")
        findings = _idle(coordinator, pages, size)
        run.say(f"  {size.pages:,} open while {size.rate} tasks a second are worked")
        findings += _watched(coordinator, db, pages, size)
        run.say(f"  claims at full speed with {size.pages:,} open and with none")
        findings += _compared(run, coordinator, db, pages, channel, size)
    return [Section(finding_heads("dashboards"), findings)]


def _idle(coordinator: Coordinator, pages: Audience, size: DashboardSize) -> list[Finding]:
    before = _memory(coordinator)
    pages.open(size.idle)
    time.sleep(size.settle)
    more = _memory(coordinator) - before
    return [
        Finding(
            f"{size.idle:,} idle, memory of the server",
            f"{before:.0f} MiB, {more:.0f} more",
            f"< {MOST_MEMORY:.0f} more",
            is_missed=more >= MOST_MEMORY,
        )
    ]


def _memory(coordinator: Coordinator) -> float:
    return machine.held_megabytes(coordinator.server, [coordinator.postgres])


def _watched(
    coordinator: Coordinator, db: psycopg.Connection, pages: Audience, size: DashboardSize
) -> list[Finding]:
    """Pages open, tasks worked at a steady pace, each page once connecting anew meanwhile."""
    pages.open(size.pages)
    before = last_event(db)
    pages.ask(ReconnectPages(after=size.seconds / 4, over=size.seconds / 2))
    meter = Meter({**coordinator.processes, "pages": pages.pid})
    meter.start()
    rate = work_steadily(coordinator, size.rate, size.seconds)
    shares = ", ".join(f"{name} {share:.0%}" for name, share in meter.stop().items())
    rows = db.execute("SELECT id FROM events_event WHERE id > %s", [before]).fetchall()
    delivery = pages.judge([number for (number,) in rows], PATIENCE)
    return [
        Finding(f"{size.pages:,} open, tasks worked", f"{rate:.0f}/s of {size.rate}/s"),
        Finding("- shares of a core", shares),
        *findings(delivery),
    ]


def findings(delivery: Delivery) -> list[Finding]:
    """How soon the pages received the events, and whether they received all."""
    if delivery.again != delivery.pages:
        raise CoordinatorFailed(f"{delivery.again} of {delivery.pages} dashboards connected anew.")
    return [
        Finding(
            "- received after, median",
            f"{delivery.median:.2f} s",
            f"≤ {SOON:.0f} s",
            is_missed=delivery.median > SOON,
        ),
        Finding(
            "- received after, 99th percentile",
            f"{delivery.late:.2f} s, at most {delivery.worst:.2f} s",
            f"≤ {LATEST:.0f} s",
            is_missed=delivery.late > LATEST,
        ),
        Finding(
            f"- lost, of {delivery.events:,} events to each",
            f"{delivery.lost:,}, read anew {delivery.stale:,}"
            if delivery.lost or delivery.stale
            else "none",
            "none",
            is_missed=bool(delivery.lost or delivery.stale),
        ),
    ]


def last_event(db: psycopg.Connection) -> int:
    row = db.execute("SELECT coalesce(max(id), 0) FROM events_event").fetchone()
    return int(row[0]) if row else 0


def work_steadily(coordinator: Coordinator, rate: int, seconds: float) -> float:
    """Claim and complete tasks at this rate, or as near to it as they can; how many a second."""
    each = int(rate * seconds / WORKERS)
    started = time.perf_counter()

    def one(number: int) -> None:
        with closing(Connection(coordinator.port)) as connection:
            work = over_http.two_requests(f"agent-{number}", 1)
            for turn in range(each):
                due = started + (turn * WORKERS + number) / rate
                time.sleep(max(0.0, due - time.perf_counter()))
                following = next(work)
                while following is not None:
                    following = work.send(connection.ask(following))

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, range(WORKERS)))
    return each * WORKERS / (time.perf_counter() - started)


def _compared(
    run: Run,
    coordinator: Coordinator,
    db: psycopg.Connection,
    pages: Audience,
    channel: UUID,
    size: DashboardSize,
) -> list[Finding]:
    """Claims and completions as fast as four agents can, with pages open and with none."""
    speeds: dict[int, list[float]] = {0: [], size.pages: []}
    for turn in run.turns(sorted(speeds)):
        for count in turn:
            pages.open(0)
            queue.refill(db, channel, int(ENOUGH * max(run.seconds, 1.0)))
            pages.open(count)
            speed = over_http.cycles(coordinator, run.seconds, 1, over_http.two_requests)
            speeds[count].append(speed.cycles)
            run.say(f"  {count:>5} open {speed}")
    pairs = zip(speeds[0], speeds[size.pages], strict=True)
    ratio = median(watched / alone for alone, watched in pairs)
    return [
        Finding("claims at full speed, none open", f"{median(speeds[0]):,.0f}/s"),
        Finding(f"- {size.pages:,} open", f"{median(speeds[size.pages]):,.0f}/s"),
        Finding("- ratio", f"{ratio:.2f}", f"> {LEAST_RATIO}", is_missed=ratio <= LEAST_RATIO),
    ]
