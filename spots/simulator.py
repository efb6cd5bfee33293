"""Simulated SPOTs: they claim over HTTP, wait a while and report random outcomes."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

TIMEOUT = 15.0  # seconds for an answer
BEAT_EVERY = 3.0  # seconds between the heartbeats of a working SPOT
CLAIM_EVERY = 0.5  # seconds between the claims of an idle SPOT
FIRST_PAUSE = 0.1  # seconds until an unanswered request is sent again; it doubles
LONGEST_PAUSE = 2.0
PROGRESS_EVERY = 5.0  # seconds between two lines of progress
LEAVE_WITHIN = 2 * TIMEOUT
CORES = 4


class CoordinatorUnreachable(Exception):
    """The coordinator does not answer."""


class RequestRefused(Exception):
    """The coordinator refuses the request."""

    def __init__(self, status: int, answer: str) -> None:
        super().__init__(f"{status} {answer}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Play:
    """The behaviour of the SPOTs: seconds that a task takes, and the share of tasks that fail.

    `headers` authenticate them at the coordinator at `url`.
    """

    url: str
    headers: Mapping[str, str]
    shortest: float
    longest: float
    fail_rate: float


@dataclass(slots=True)
class Totals:
    """Tasks by outcome. `returned`: given back undone; `lost`: taken away meanwhile."""

    claimed: int = 0
    done: int = 0
    failed: int = 0
    returned: int = 0
    lost: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.claimed + other.claimed,
            self.done + other.done,
            self.failed + other.failed,
            self.returned + other.returned,
            self.lost + other.lost,
        )

    def __str__(self) -> str:
        in_hand = self.claimed - self.done - self.failed - self.returned - self.lost
        shown = {
            "in hand": in_hand,
            "given back": self.returned,
            "taken away by the coordinator": self.lost,
        }
        more = "".join(f", {count} {label}" for label, count in shown.items() if count)
        return f"{self.done} done, {self.failed} failed{more}"


class Simulation:
    """`count` SPOTs, named sim-1 and so on, each a thread with its own connection."""

    def __init__(self, play: Play, count: int) -> None:
        self.stopping = threading.Event()
        self.spots = [
            SimulatedSpot(f"sim-{number}", play, self.stopping) for number in range(1, count + 1)
        ]

    def run(
        self, say: Callable[[str], None], *, seconds: float | None, until_empty: bool
    ) -> tuple[Totals, float]:
        """Work for so many seconds, or until the queue is empty, or until KeyboardInterrupt.

        At the end the SPOTs hold no tasks. Returns the totals and the seconds. The coordinator has
        to answer at the start; later the SPOTs wait for it.
        """
        self.spots[0].check()
        say(f"{len(self.spots)} SPOTs are at work.")
        began = time.monotonic()
        threads = [threading.Thread(target=spot.live, daemon=True) for spot in self.spots]
        for thread in threads:
            thread.start()
        try:
            self._watch(say, began, seconds, until_empty)
        except KeyboardInterrupt:
            say("Stopping.")
        finally:
            took = time.monotonic() - began
            self.stopping.set()
            for thread in threads:
                thread.join(LEAVE_WITHIN)
        for spot in self.spots:
            if spot.trouble is not None:
                raise spot.trouble
        return self.tally(), took

    def tally(self) -> Totals:
        return sum((spot.tally for spot in self.spots), Totals())

    def _watch(
        self, say: Callable[[str], None], began: float, seconds: float | None, until_empty: bool
    ) -> None:
        next_line = began + PROGRESS_EVERY
        while not any(spot.trouble for spot in self.spots):
            time.sleep(0.05)
            now = time.monotonic()
            if seconds is not None and now - began >= seconds:
                return
            if until_empty and all(spot.idle for spot in self.spots):
                return
            if now >= next_line:
                next_line += PROGRESS_EVERY
                say(f"{self.tally()}.")


class SimulatedSpot:
    """One SPOT. `idle`: its last claim got no task."""

    def __init__(self, spot_id: str, play: Play, stopping: threading.Event) -> None:
        self.spot_id = spot_id
        self.play = play
        self.stopping = stopping
        self.idle = False
        self.trouble: RequestRefused | None = None
        self.tally = Totals()
        self.dice = random.Random()  # noqa: S311
        parts = urlsplit(play.url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self.connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT)
        self.base = f"{parts.path.rstrip('/')}/internal/v1"

    def check(self) -> None:
        """Send one heartbeat; raises CoordinatorUnreachable or RequestRefused without a retry."""
        self._once("/heartbeat", self._sign(None))

    def live(self) -> None:
        """Claim and work until `stopping` is set; the main function of the thread."""
        try:
            while not self.stopping.is_set():
                task = self._claim()
                self.idle = task is None
                if task is None:
                    self._ask("/heartbeat", self._sign(None))
                    self.stopping.wait(CLAIM_EVERY)
                else:
                    self._work(*task)
                    self._ask("/heartbeat", self._sign(None))
        except RequestRefused as refusal:
            self.trouble = refusal
        except CoordinatorUnreachable:
            pass  # stopped while the coordinator was away
        finally:
            self.connection.close()

    def _claim(self) -> tuple[str, object] | None:
        tasks = self._ask("/tasks/claim", {"maxTasks": 1}).get("tasks")
        if not isinstance(tasks, list) or not tasks:
            return None
        return str(tasks[0]["id"]), tasks[0].get("leaseEpoch")

    def _work(self, task_id: str, epoch: object) -> None:
        self.tally.claimed += 1
        lasts = self.dice.uniform(self.play.shortest, self.play.longest)
        began = time.monotonic()
        verb, report = self._wait(task_id, epoch, began + lasts)
        if verb == "complete":
            report = self._result(round(1000 * (time.monotonic() - began)))
        if epoch is not None:
            report = {**report, "leaseEpoch": epoch}
        try:
            if verb:
                self._ask(f"/tasks/{quote(task_id, safe='')}/{verb}", report)
        except RequestRefused as refusal:
            if refusal.status not in {404, 409}:
                raise
            verb = ""  # another SPOT has it
        if not verb:
            self.tally.lost += 1
        elif verb == "complete":
            self.tally.done += 1
        elif report["retriable"]:
            self.tally.returned += 1
        else:
            self.tally.failed += 1

    def _wait(self, task_id: str, epoch: object, until: float) -> tuple[str, dict[str, object]]:
        """Work until then, with heartbeats that keep the task; return the report's verb and body.

        An empty verb means that the task was taken away and there is nothing to report.
        """
        while True:
            answer = self._ask("/heartbeat", self._sign((task_id, epoch)))
            if task_id in _names(answer, "lost"):
                return "", {}
            if task_id in _names(answer, "cancelled"):
                return "fail", {"error": "Cancelled on request", "retriable": False}
            left = until - time.monotonic()
            if self.stopping.wait(max(0.0, min(left, BEAT_EVERY))):
                return "fail", {"error": "Simulation stopped", "retriable": True}
            if left <= BEAT_EVERY:
                break
        if self.dice.random() < self.play.fail_rate:
            return "fail", {"error": "Simulated failure", "retriable": False}
        return "complete", {}

    def _result(self, runtime: int) -> dict[str, object]:
        return {
            "runtimeMs": runtime,
            "iter": self.dice.randint(50, 499),
            "fopt": self.dice.uniform(0, 100),
            "resultJson": json.dumps({"sim": True, "spot": self.spot_id}),
        }

    def _sign(self, held: tuple[str, object] | None) -> dict[str, object]:
        tasks = [] if held is None else [{"id": held[0], "leaseEpoch": held[1]}]
        return {
            "ipAddress": "127.0.0.1",
            "cpuLoad": round(self.dice.uniform(10, 90), 1),
            "runningTasks": len(tasks),
            "totalCores": CORES,
            "tasks": tasks,
        }

    def _ask(self, path: str, body: Mapping[str, object]) -> dict[str, object]:
        """Send a request until it is answered; while stopping, send it once."""
        longest = FIRST_PAUSE
        while True:
            try:
                return self._once(path, body)
            except CoordinatorUnreachable:
                if self.stopping.wait(self.dice.uniform(longest / 2, longest)):
                    raise
                longest = min(2 * longest, LONGEST_PAUSE)

    def _once(self, path: str, body: Mapping[str, object]) -> dict[str, object]:
        content = json.dumps({"spotId": self.spot_id, **body})
        headers = {"Content-Type": "application/json", **self.play.headers}
        try:
            self.connection.request("POST", self.base + path, content, headers)
            answer = self.connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            self.connection.close()
            raise CoordinatorUnreachable(str(problem) or type(problem).__name__) from problem
        if answer.status >= 500:
            raise CoordinatorUnreachable(f"it answers {answer.status}")
        if answer.status >= 400:
            raise RequestRefused(answer.status, raw.decode(errors="replace"))
        return dict(json.loads(raw))


def _names(answer: Mapping[str, object], key: str) -> list[object]:
    found = answer.get(key)
    return found if isinstance(found, list) else []
