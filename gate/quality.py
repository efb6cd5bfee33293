"""Light scenarios: what a user relies on, tried on the coordinator that the gate has started."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.demo.collab import Collab, CollabFailed
from benchmarks.demo.providers import LocalProvider
from benchmarks.demo.routing_world import (
    KEY,
    PRICES,
    SET_UP,
    CallsFailed,
    Routing,
    answer,
    answer_slowly,
    fail,
)
from benchmarks.demo.wire import CoordinatorUnreachable, RequestRefused, rows, text
from gate.verdicts import Scenario

WORKER = "gate-worker"
CALLS = 12
ACTS = {"failing": fail, "slow": answer_slowly, "dear": answer}

Steps = Callable[[], None]


class WentWrong(Exception):
    """A scenario did not come out as it should."""


def ran(name: str, steps: Steps) -> Scenario:
    """Run one; what goes wrong in it is its problem, and the others go on."""
    begun, problem = time.monotonic(), ""
    try:
        steps()
    except (
        WentWrong,
        CallsFailed,
        CollabFailed,
        CoordinatorUnreachable,
        RequestRefused,
        OSError,
    ) as what:
        problem = str(what) or type(what).__name__
    return Scenario(name, problem, time.monotonic() - begun)


def replays(collab: Collab) -> None:
    """A job that fails for good is a dead letter, and done once its cause is mended."""
    mark = collab.folder / "mended"
    collab.assign("is mended", do="fail until repaired", mark=str(mark))
    collab.start(WORKER)
    collab.until(lambda: collab.status("is mended") == "dead_lettered", "the job is dead")
    mark.touch()
    [letter] = rows(collab.wire.get("/functions/v1/dlq-list"), "items")
    again = collab.wire.post("/functions/v1/dlq-retry", {"dlqId": letter["id"]})
    collab.jobs["again"] = text(again, "jobId")
    collab.until(lambda: collab.status("again") == "succeeded", "its replay is done")


@contextmanager
def providers() -> Iterator[dict[str, LocalProvider]]:
    """Three of them on this machine: one fails, one is slow, one is dear."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(LocalProvider(act)) for name, act in ACTS.items()}


def fails_over(routing: Routing) -> None:
    """Each call is answered, though the cheapest provider fails and the dear one is denied."""
    made = [
        (name, one.url, str(PRICES[name][0]), str(PRICES[name][1]))
        for name, one in routing.providers.items()
    ]
    routing.shell(SET_UP.format(providers=made, key=KEY))
    calls = routing.call("batch", CALLS)
    if [call.provider for call in calls] != ["slow"] * CALLS:
        raise WentWrong(f"the calls were answered by {[call.provider for call in calls]}")
    if not any(call.failovers for call in calls):
        raise WentWrong("no call went to the provider that fails")
    if routing.providers["dear"].count:
        raise WentWrong("the provider that is denied was called")


def finds(routing: Routing, reports: Path) -> None:
    """The search answers its queries well enough; its reports say how well."""
    routing.manage("search_eval", "--reports", str(reports))


def all_of(collab: Collab, routing: Routing, reports: Path) -> Sequence[Scenario]:
    return [
        ran("a dead letter is replayed", lambda: replays(collab)),
        ran("calls of language models fail over", lambda: fails_over(routing)),
        ran("the search finds what it should", lambda: finds(routing, reports / "search")),
    ]
