"""`script/demo routing`: 200 calls of language models through three providers, all recounted."""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.demo import routing_verdict as verdict
from benchmarks.demo import server
from benchmarks.demo.ci import checks
from benchmarks.demo.providers import LocalProvider
from benchmarks.demo.routing_world import (
    AFTER,
    BATCH,
    BEFORE,
    EXPIRE,
    KEY,
    PRICES,
    SET_UP,
    Call,
    CallsFailed,
    Routing,
    answer,
    answer_slowly,
    fail,
)
from benchmarks.demo.wire import CoordinatorUnreachable, RequestRefused


def main(argv: list[str]) -> int:
    """Run it on a coordinator of its own; exit code 1 when anything is not right."""
    argparse.ArgumentParser(
        prog="script/demo routing",
        description="Route 200 calls of language models among three providers on this machine, one "
        "slow, one failing, one dear, by two policies; the key of one expires in the middle. Then "
        "recount shares, costs, failovers and snapshots.",
    ).parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    try:
        with tempfile.TemporaryDirectory(prefix="coordinator-demo-") as top, ExitStack() as stack:
            Path(top).chmod(0o711)  # PostgreSQL's own user has to pass through
            folder = Path(top, "data")
            acts = {"failing": fail, "slow": answer_slowly, "dear": answer}
            providers = {
                name: stack.enter_context(LocalProvider(act)) for name, act in acts.items()
            }
            url = stack.enter_context(server.in_folder(folder))
            return _run(console, Routing(url, folder, providers))
    except (
        server.NoCoordinator,
        CoordinatorUnreachable,
        RequestRefused,
        CallsFailed,
        OSError,
    ) as problem:
        console.print(f"The demonstration failed: {problem}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(console: Console, routing: Routing) -> int:
    begun = time.monotonic()
    made = [
        (name, one.url, str(PRICES[name][0]), str(PRICES[name][1]))
        for name, one in routing.providers.items()
    ]
    routing.shell(SET_UP.format(providers=made, key=KEY))
    console.print("Three providers on this machine: one fails, one is slow, one is dear.")
    batch = routing.call("batch", BATCH)
    console.print(f"{BATCH} calls for which the dear one is denied.")
    before = routing.call("live", BEFORE, "dear/model")
    routing.shell(EXPIRE)
    console.print(f"{BEFORE} calls for the dear one. Its key has expired.")
    after = routing.call("live", AFTER, "dear/model")
    console.print(f"{AFTER} more.")
    found = (
        verdict.shares(routing, batch, before, after)
        | verdict.costs(routing, [*batch, *before, *after])
        | verdict.snapshots(routing, [*batch, *before, *after])
        | verdict.shown_right(routing)
    )
    console.print(table(routing, batch, before, after, time.monotonic() - begun))
    console.print(checks(found))
    complaints = [name for name, fine in found.items() if not fine]
    for complaint in complaints:
        console.print(f"Not right: {complaint}", style="red", markup=False)
    return 1 if complaints else 0


def table(
    routing: Routing,
    batch: Sequence[Call],
    before: Sequence[Call],
    after: Sequence[Call],
    seconds: float,
) -> Table:
    shown = Table(
        "Calls", "slow", "dear", "USD", title="Coordinator: language models", min_width=60
    )
    for name, calls in (("batch", batch), ("live", before), ("live, key expired", after)):
        of = Counter(one.provider for one in calls)
        cost = sum((one.cost for one in calls), Decimal(0))
        shown.add_row(name, str(of["slow"]), str(of["dear"]), str(cost.normalize()))
    shown.caption = (
        f"{seconds:.1f} s; the failing one was asked {routing.providers['failing'].count} times"
    )
    return shown
