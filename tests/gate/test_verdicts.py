"""When the gate passes: each part that is not as it has to be fails it, and is named."""

from datetime import UTC, datetime, timedelta

import pytest

from gate.verdicts import Needs, Routed, Scenario, quality, routing, summary

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NEEDS = Needs()
FINE = Scenario("fine")
BROKEN = Scenario("broken", "it found nothing")


@pytest.mark.parametrize(
    ("scenarios", "ok"),
    [
        ([FINE, FINE], True),
        ([FINE, FINE, FINE], True),
        ([FINE, FINE, BROKEN], False),
        ([FINE, BROKEN], False),
        ([FINE], False),
        ([], False),
    ],
)
def test_enough_scenarios_have_to_run_and_all_to_pass(scenarios, ok):
    assert quality(scenarios, NEEDS)["ok"] is ok


@pytest.mark.parametrize(
    ("found", "ok"),
    [
        (Routed(1, NOW), True),
        (Routed(3, NOW - timedelta(minutes=1440)), True),
        (Routed(3, NOW - timedelta(minutes=1441)), False),
        (Routed(0, NOW), False),
        (Routed(1, None), False),
        (None, False),
    ],
)
def test_models_have_to_be_ranked_and_heard_of_lately(found, ok):
    assert routing(found, NEEDS, NOW)["ok"] is ok


def test_what_is_asked_for_can_be_raised():
    assert not quality([FINE, FINE], Needs(ran=3))["ok"]
    assert not routing(Routed(1, NOW), Needs(ranked=2), NOW)["ok"]


@pytest.mark.parametrize("broken", ["smoke", "monitoring", "quality", "routing"])
def test_one_part_that_is_not_ok_fails_the_whole(broken):
    parts = {name: {"ok": True} for name in ("smoke", "monitoring", "quality", "routing")}

    assert summary(parts, NOW, 1.0)["passed"] is True
    found = summary(parts | {broken: {"ok": False}}, NOW, 1.0)

    assert (found["passed"], found["failed"]) == (False, [broken])
    assert found["generated_at"] == "2026-01-31T12:00:00Z"
