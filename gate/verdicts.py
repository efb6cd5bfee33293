"""What the parts of the gate found, put together: it passes, or why not (contract 003, 4.5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Report = dict[str, object]


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be there: scenarios that `ran`, models that are `ranked`, `health` not older."""

    ran: int = 2
    ranked: int = 1
    health: timedelta = timedelta(minutes=1440)


@dataclass(frozen=True, slots=True)
class Routed:
    """What `/api/metrics/routing` said: how many models it ranks, when one was last heard of."""

    ranked: int
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One that was run: whether it passed, else why not."""

    name: str
    problem: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.problem


def quality(scenarios: Sequence[Scenario], needs: Needs) -> Report:
    """Enough of them ran, and all that ran passed."""
    passed = sum(one.passed for one in scenarios)
    return {
        "ok": passed == len(scenarios) >= needs.ran,
        "ran": len(scenarios),
        "passed": passed,
        "needed": needs.ran,
        "scenarios": [
            {
                "name": one.name,
                "passed": one.passed,
                "problem": one.problem or None,
                "seconds": round(one.seconds, 1),
            }
            for one in scenarios
        ],
    }


def routing(found: Routed | None, needs: Needs, now: datetime) -> Report:
    """Enough models are ranked, and one of them was heard of lately."""
    age = now - found.heard_at if found and found.heard_at else None
    return {
        "ok": found is not None
        and found.ranked >= needs.ranked
        and age is not None
        and age <= needs.health,
        "ranked": found.ranked if found else 0,
        "needed": needs.ranked,
        "health_age_minutes": None if age is None else round(age.total_seconds() / 60, 1),
        "health_ttl_minutes": int(needs.health.total_seconds() / 60),
    }


def summary(parts: Mapping[str, Report], now: datetime, seconds: float) -> Report:
    """The whole: it passes when each part is ok."""
    failed = [name for name, part in parts.items() if part["ok"] is not True]
    return {
        "schema": 1,
        "generated_at": now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "seconds": round(seconds, 1),
        "passed": not failed,
        "failed": failed,
        **parts,
    }
