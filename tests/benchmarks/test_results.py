from dataclasses import replace

import pytest

from benchmarks import bench
from benchmarks.results import PAIRS, Finding, Growth, Pair, Ratios, Speed, quietness, table

PAIR = Pair("report", "one report a cycle", 1, 0.15)


def ratios_of(*rounds: float, pair: Pair = PAIR) -> Ratios:
    """Rounds in which SQL ends 1,000 cycles a second and HTTP so many of them."""
    return Ratios(
        pair,
        over_http=[Speed(round(1000 * ratio), 1.0, pair.batch) for ratio in rounds],
        straight=[Speed(4000, 4.0, pair.batch) for _ in rounds],
    )


def test_a_speed_counts_cycles_and_their_tasks_a_second():
    speed = Speed(ended=100, took=2.0, batch=10)

    assert (speed.cycles, speed.tasks) == (50, 500)


def test_the_median_round_decides():
    assert ratios_of(0.01, 0.16, 0.90).median == 0.16
    assert not ratios_of(0.01, 0.16, 0.90).is_missed
    assert ratios_of(0.01, 0.14, 0.90).is_missed


def test_a_target_that_is_just_met_is_met():
    assert not ratios_of(0.15).is_missed


def test_what_has_no_target_cannot_be_missed():
    (two, *_) = PAIRS

    assert two.target is None
    assert not ratios_of(0.001, pair=two).is_missed


def test_the_targets_are_those_that_were_set():
    assert {pair.key: pair.target for pair in PAIRS} == {
        "two": None,
        "report": 0.15,
        "batch10": 0.35,
        "batch50": 0.50,
    }
    assert Growth.LARGEST == 1.5


def test_a_claim_that_grows_by_more_than_half_is_missed():
    assert not Growth("claim", small=1.0, large=1.5).is_missed
    assert Growth("claim", small=1.0, large=1.51).is_missed


def test_a_measurement_says_in_how_many_legs_others_used_the_machine():
    quiet, loud = {"others": 0.03}, {"others": 0.5}
    ratios = ratios_of(0.2, 0.3)
    both = [ratios.over_http, ratios.straight]
    for speeds in both:
        speeds[:] = [replace(speed, shares=quiet) for speed in speeds]
    assert "was quiet" in quietness([ratios])

    ratios.over_http[0] = replace(ratios.over_http[0], shares=loud)

    assert "NOT QUIET: in 1 of 4 legs" in quietness([ratios])


def test_a_missed_target_is_told_plainly():
    assert ratios_of(0.01).row()[-1] == "missed"
    assert Growth("claim", 1.0, 9.0).row()[-1] == "missed"
    assert Finding("health", "21 ms", "≤ 20 ms", is_missed=True).row()[-1] == "missed"


def test_what_was_found_and_has_no_target_is_neither_met_nor_missed():
    assert Finding("tasks", "900/s").row() == ["tasks", "900/s", "", ""]


@pytest.mark.parametrize(
    "missed",
    [
        {"ratios": [ratios_of(0.1)]},
        {"grown": [Growth("claim", 1.0, 2.0)]},
        {"found": [Finding("health", "21 ms", "≤ 20 ms", is_missed=True)]},
        {"behind": [Growth("claim", 1.0, 2.0)]},
        {"watched": [Finding("told", "2 s", "≤ 1 s", is_missed=True)]},
    ],
)
def test_a_missed_target_fails_only_when_that_is_asked_for(missed):
    met = {
        "ratios": [ratios_of(0.2)],
        "grown": [Growth("claim", 1.0, 1.0)],
        "found": [Finding("health", "2 ms", "≤ 20 ms"), Finding("tasks", "900/s")],
        "behind": [Growth("claim", 1.0, 1.0)],
        "watched": [Finding("told", "0.4 s", "≤ 1 s")],
    }

    assert bench.exit_code(bench.Measured(**met), strict=True) == 0
    assert bench.exit_code(bench.Measured(**met | missed), strict=True) == 1
    assert bench.exit_code(bench.Measured(**met | missed), strict=False) == 0


def test_a_table_reads_as_text_and_as_markdown():
    heads, rows = ["a", "b"], [["long cell", ""], ["x", "y"]]

    text = table(heads, rows, markdown=False)
    markdown = table(heads, rows, markdown=True)

    assert text.splitlines() == ["a          b", "---------  -", "long cell", "x          y"]
    assert markdown.splitlines() == [
        "| a         | b |",
        "| --------- | - |",
        "| long cell |   |",
        "| x         | y |",
    ]


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--legs", "third"], ["--large", "10"]])
def test_nonsense_is_refused(wrong, capsys):
    with pytest.raises(SystemExit) as refused:
        bench.parser().parse_args(wrong)

    assert refused.value.code == 2
    assert wrong[0] in capsys.readouterr().err
