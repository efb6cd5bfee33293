"""Looks at a coordinator as monitoring does, again and again, while others use it."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from benchmarks.demo.collab_verdict import counters
from gate.verdicts import Report

PROBES = ("/livez", "/readyz", "/api/metrics/health", "/api/metrics/summary")
METRICS = "/metrics"
EVERY = 0.5  # seconds
PATIENCE = 5.0
FEWEST = 5
SHOWN = 20  # problems


@dataclass
class Monitoring:
    """A thread that asks each probe every half a second, from entering to leaving.

    A counter that goes back is a problem too: whoever alarms on its rate would see one that is not.
    """

    url: str
    asked: int = 0
    slowest: float = 0.0
    problems: list[str] = field(default_factory=list)
    last: Mapping[str, float] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self._run, name="monitoring", daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stopping.set()
        self.thread.join()

    def _run(self) -> None:
        while not self.stopping.wait(EVERY):
            self.look()

    def look(self) -> None:
        """Ask everything once."""
        self.asked += 1
        for path in PROBES:
            body = self._get(path)
            if body and path.startswith("/api/") and not is_ok(body):
                self.problems.append(f"{path} is not ok")
        text = self._get(METRICS)
        if text:
            self._compare(counters(text.decode()))

    def _get(self, path: str) -> bytes:
        begun = time.monotonic()
        try:
            with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:  # noqa: S310
                body: bytes = answer.read()
        except OSError as problem:
            self.problems.append(f"{path}: {problem}")
            return b""
        self.slowest = max(self.slowest, time.monotonic() - begun)
        return body

    def _compare(self, found: Mapping[str, float]) -> None:
        for name, before in self.last.items():
            if found.get(name, 0.0) < before:
                self.problems.append(f"{name} went from {before:g} to {found.get(name, 0.0):g}")
        self.last = found

    def report(self) -> Report:
        return {
            "ok": self.asked >= FEWEST and not self.problems,
            "polls": self.asked,
            "slowest_ms": round(self.slowest * 1000),
            "problems": self.problems[:SHOWN],
        }


def is_ok(body: bytes) -> bool:
    """Whether an answer says so; one that cannot be read does not."""
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("ok") is True
