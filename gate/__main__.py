"""`python -m gate`: smoke, monitoring, scenarios and their sum; 1 when it does not pass."""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.demo import server
from benchmarks.demo.collab import Collab, CollabFailed
from benchmarks.demo.routing_world import Routing
from benchmarks.demo.wire import CoordinatorUnreachable, RequestRefused, Wire, rows, text
from coordinator_project import env
from gate import quality, smoke, verdicts
from gate.monitoring import Monitoring
from gate.verdicts import Needs, Report, Routed

SETTINGS = {"COORDINATOR_TASK_REAPER_SECONDS": "1", "COORDINATOR_GRACE_SECONDS": "1"}
NAMES = {
    "smoke": "smoke-output.json",
    "monitoring": "monitoring-report.json",
    "quality": "quality/light-summary.json",
}
WHOLE = "pr-lite-summary.json"


def main(arguments: list[str]) -> int:
    """Run it on a coordinator of its own, and write its reports."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    usual = Needs()
    needs = Needs(
        ran=env.number("QUALITY_MIN_RAN", default=usual.ran, least=1),
        ranked=env.number("ROUTING_REQUIRE_RANKED", default=usual.ranked),
        health=env.minutes("HEALTH_TTL_MIN", default=1440, least=1),
    )
    begun = time.monotonic()
    try:
        parts = _run(given.reports, needs)
    except (server.NoCoordinator, CoordinatorUnreachable, RequestRefused, OSError) as problem:
        _say(f"The gate could not be run: {problem}")
        return 1
    whole = verdicts.summary(parts, datetime.now(UTC), time.monotonic() - begun)
    for name, part in parts.items():
        if name in NAMES:
            _write(given.reports / NAMES[name], part)
        _say(f"{name}: {'ok' if part['ok'] else json.dumps(part, indent=2)}")
    _write(given.reports / WHOLE, whole)
    _say(f"{'Passed' if whole['passed'] else 'NOT PASSED'} in {whole['seconds']} s.")
    return 0 if whole["passed"] else 1


def _run(reports: Path, needs: Needs) -> dict[str, Report]:
    with tempfile.TemporaryDirectory(prefix="coordinator-gate-") as top:
        Path(top).chmod(0o711)  # PostgreSQL's own user has to pass through
        folder = Path(top, "data")
        with (
            quality.providers() as providers,
            server.in_folder(folder, **SETTINGS) as url,
            Monitoring(url) as monitoring,
        ):
            collab, routing = Collab(url, Path(top)), Routing(url, folder, providers)
            try:
                smoked = _smoke(collab)
                scenarios = quality.all_of(collab, routing, reports)
            finally:
                collab.stop()
            found = _routed(Wire(url))
        return {
            "smoke": smoked,
            "monitoring": monitoring.report(),
            "quality": verdicts.quality(scenarios, needs),
            "routing": verdicts.routing(found, needs, datetime.now(UTC)),
        }


def _smoke(collab: Collab) -> Report:
    try:
        return smoke.run(collab)
    except CollabFailed as problem:
        return {"ok": False, "problem": str(problem)}


def _routed(wire: Wire) -> Routed:
    ranked = rows(wire.get("/api/metrics/routing", service="chat"), "ranked")
    heard = [at for one in ranked if (at := text(one, "health_updated_at"))]
    return Routed(len(ranked), max(map(datetime.fromisoformat, heard), default=None))


def _write(path: Path, report: Report) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="script/gate",
        description="Start a coordinator, let workers share jobs, look at it as monitoring does, "
        "try what users rely on, and say whether all is well.",
        epilog="QUALITY_MIN_RAN, ROUTING_REQUIRE_RANKED and HEALTH_TTL_MIN (minutes) change what "
        "has to be there.",
    )
    add: Callable[..., argparse.Action] = made.add_argument
    add("--reports", type=Path, default=env.BASE_DIR / "reports", help="where the reports go")
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
