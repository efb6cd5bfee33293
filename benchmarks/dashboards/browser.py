"""The console in a real browser: its first view, and how it holds out while the fleet works."""

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from os import getuid
from statistics import median

import orjson
from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks import over_http, queue
from benchmarks.coordinator import Coordinator
from benchmarks.dashboards.audience import audience
from benchmarks.dashboards.delivery import Delivery
from benchmarks.dashboards.measure import PATIENCE, last_event, work_steadily
from benchmarks.over_http import Connection
from benchmarks.results import Finding, Section, finding_heads
from benchmarks.run import Run
from coordinator_project.env import BASE_DIR

HEARTBEAT = "/v1/agents/heartbeat"
BEATS_EVERY = 20.0  # seconds
MIB = 1024 * 1024
WATCH = """() => {
  window.longest = 0;
  new PerformanceObserver((found) => {
    for (const { duration } of found.getEntries()) {
      window.longest = Math.max(window.longest, duration);
    }
  }).observe({ type: "longtask" });
}"""
SCROLL = "(step) => scrollTo(0, (document.documentElement.scrollHeight * (step % 10)) / 10)"
PAGES = ("#/", "#/tasks", "#/agents", "#/board", "#/timeline", "#/tasks?status=in_progress")


@dataclass(frozen=True)
class BrowserSize:
    """`changes` a second for so many `seconds`, of so many tasks, with `pages` open beside."""

    tasks: int = 10_000
    agents: int = 200
    changes: int = 100
    pages: int = 60
    seconds: float = 600.0
    most_view: float = 1.0  # seconds
    most_kilobytes: float = 300.0
    most_busy: float = 200.0  # milliseconds of a task of the browser
    most_growth: float = (
        1.2  # of what the page holds, from the second quarter of the time to the last
    )
    most_late: float = 1.0  # seconds, for the 99th percentile


QUICK = BrowserSize(tasks=200, agents=5, changes=20, pages=3, seconds=4.0)


@dataclass
class Held:
    """What the page holds after its garbage was collected, in MiB, and its longest task, in ms."""

    mebibytes: list[float] = field(default_factory=list)
    longest: float = 0.0


def measure(run: Run) -> list[Section]:
    """Findings about the first view, and about a long look at a fleet that works."""
    size = QUICK if run.quick else BrowserSize()
    heads, path = finding_heads("the console in a browser"), found_chromium()
    if not path:
        return [Section(heads, [Finding("no Chromium", "script/chromium installs it")])]
    with (
        run.coordinator("browser") as (coordinator, db),
        audience(coordinator.port) as pages,
        opened(path, coordinator.port) as page,
    ):
        channel = coordinator.open_channel(queue.CHANNEL)
        tasks = size.tasks + int(size.changes * size.seconds)
        queue.insert(db, tasks, channel_id=f"'{channel}'::uuid", queue_at=queue.queue_at(tasks))
        findings = _first_view(page, size)
        run.say(f"  {size.seconds:.0f} s with {size.changes} changes a second")
        pages.open(size.pages)
        before = last_event(db)
        with ThreadPoolExecutor(2) as beside:
            # A task that is claimed and completed has changed twice.
            worked = beside.submit(work_steadily, coordinator, size.changes // 2, size.seconds)
            beats = beside.submit(_be_there, coordinator, size.agents, worked.done)
            held = _look(page, worked.done)
            speed = worked.result()
            beats.result()
        rows = db.execute("SELECT id FROM events_event WHERE id > %s", [before]).fetchall()
        delivery = pages.judge([number for (number,) in rows], PATIENCE)
        findings += _findings(size, 2 * speed, held, delivery)
    return [Section(heads, findings)]


def found_chromium() -> str:
    """The path of the system's Chromium; empty without one."""
    find = [str(BASE_DIR / "script/chromium"), "find"]
    return subprocess.run(find, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


@contextmanager
def opened(path: str, port: int) -> Iterator[Page]:
    """A page of the browser at `path` that has loaded nothing yet."""
    flags = ["--no-sandbox"] if getuid() == 0 else []  # as root, Chromium has no sandbox
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=path, args=flags) as browser,
    ):
        yield browser.new_page(
            base_url=f"http://127.0.0.1:{port}", viewport={"width": 1440, "height": 900}
        )


def _be_there(coordinator: Coordinator, agents: int, is_over: Callable[[], bool]) -> None:
    """Keep so many agents online; each is heard every 20 seconds."""
    with closing(Connection(coordinator.port)) as connection:
        while True:
            for number in range(agents):
                beat = over_http.request(HEARTBEAT, orjson.dumps({"agent_id": f"agent-{number}"}))
                connection.ask(beat)
                if is_over():
                    return
                time.sleep(BEATS_EVERY / agents)


def _first_view(page: Page, size: BrowserSize) -> list[Finding]:
    """Nothing is cached: from the address to the page that is live, and what came for it."""
    received = 0.0

    def add(message: dict[str, float]) -> None:
        nonlocal received
        received += message["encodedDataLength"]

    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.on("Network.loadingFinished", add)
    began = time.perf_counter()
    page.goto("/")
    page.locator("#connection", has_text="Live").wait_for()
    seconds, kilobytes = time.perf_counter() - began, received / 1000
    devtools.detach()
    return [
        Finding(
            "first view, nothing cached",
            f"{seconds:.2f} s",
            f"< {size.most_view:.0f} s",
            is_missed=seconds >= size.most_view,
        ),
        Finding(
            "- received for it",
            f"{kilobytes:.0f} kB",
            f"< {size.most_kilobytes:.0f} kB",
            is_missed=kilobytes >= size.most_kilobytes,
        ),
    ]


def _look(page: Page, is_over: Callable[[], bool]) -> Held:
    """Go from page to page, scroll, and watch, until it is over."""
    held, step = Held(), 0
    devtools = page.context.new_cdp_session(page)
    page.evaluate(WATCH)
    while not is_over():
        page.evaluate("(to) => { location.hash = to; }", PAGES[step % len(PAGES)])
        for turn in range(10):
            page.wait_for_timeout(300)
            page.evaluate(SCROLL, step + turn)
        step += 1
        if step % len(PAGES) == 0:
            held.mebibytes.append(_holds(devtools))
    held.mebibytes.append(_holds(devtools))
    held.longest = page.evaluate("window.longest")
    return held


def _holds(devtools: CDPSession) -> float:
    devtools.send("HeapProfiler.collectGarbage")
    used: float = devtools.send("Runtime.getHeapUsage")["usedSize"]
    return used / MIB


def _findings(size: BrowserSize, changes: float, held: Held, delivery: Delivery) -> list[Finding]:
    # In the first quarter each page is opened for the first time.
    quarter = max(1, len(held.mebibytes) // 4)
    early = median(held.mebibytes[quarter : 2 * quarter] or held.mebibytes)
    late = median(held.mebibytes[-quarter:])
    return [
        Finding(f"{size.tasks:,} tasks, {size.agents} agents", f"{changes:.0f} changes/s"),
        Finding(
            "- longest task of the browser",
            f"{held.longest:.0f} ms",
            f"< {size.most_busy:.0f} ms",
            is_missed=held.longest >= size.most_busy,
        ),
        Finding(
            f"- held by the page, over {size.seconds:.0f} s",
            f"{early:.1f} MiB, then {late:.1f}, at most {max(held.mebibytes):.1f}",
            f"< {size.most_growth} times",
            is_missed=late >= early * size.most_growth,
        ),
        Finding(
            f"- {size.pages} more pages receive after, 99th percentile",
            f"{delivery.late:.2f} s, at most {delivery.worst:.2f} s",
            f"< {size.most_late:.0f} s",
            is_missed=delivery.late >= size.most_late,
        ),
        Finding(
            f"- lost, of {delivery.events:,} events to each",
            f"{delivery.lost:,}" if delivery.lost else "none",
            "none",
            is_missed=bool(delivery.lost),
        ),
    ]
