"""The best results of a sweep, and their distribution over the grid."""

import statistics
import sys

import pytest

from jobs import statistics as over_the_grid
from tests.jobs.calls import run
from tests.jobs.sweeps import artifact, functions, grid
from tests.spots.calls import data

pytestmark = pytest.mark.django_db


def best(sweeps, job_id):
    return data(sweeps.get(f"/{job_id}/best"))


def spread(sweeps, job_id):
    return data(sweeps.get(f"/{job_id}/statistics"))


def found(groups):
    return {group["value"]: group["fopt"] for group in groups}


def test_the_best_is_the_smallest_overall_and_of_each_kind(sweeps, spots):
    job_id = sweeps.make(algorithms=["PSO", "GA"], dimension=(2, 3, 1))
    tasks = run(spots, 0.5, -1.5, 0.25, 3)

    groups = best(sweeps, job_id)

    assert (groups["best"]["taskId"], groups["best"]["fopt"]) == (tasks[1]["id"], -1.5)
    assert "result" not in groups["best"]
    assert found(groups["byAlgorithm"]) == {"PSO": -1.5, "GA": 0.25}
    assert groups["byFunction"] == []
    assert found(groups["byParameter"]["dimension"]) == {2: 0.25, 3: -1.5}
    assert found(groups["byParameter"]["iterations"]) == {100: -1.5}


def test_the_best_of_each_function_and_parameter_of_the_second_form(sweeps, spots):
    job_id = sweeps.make(functions())
    run(spots, 4, 3, 2, 1)

    groups = best(sweeps, job_id)

    assert found(groups["byFunction"]) == {"sphere": 3, "ackley": 1}
    assert found(groups["byParameter"]["run.step"]) == {0.1: 2, 0.2: 1}


def test_of_equals_the_one_made_first_is_the_best(sweeps, spots):
    job_id = sweeps.of(2)
    tasks = run(spots, 1, 1)

    assert best(sweeps, job_id)["best"]["taskId"] == tasks[0]["id"]


def test_a_sweep_without_results_has_no_best(sweeps):
    groups = best(sweeps, sweeps.make())

    assert groups["best"] is None
    assert groups["byAlgorithm"] == []


def test_statistics_are_those_of_the_results(sweeps, spots):
    job_id = sweeps.make(algorithms=["PSO", "GA"], dimension=(1, 4, 1))
    of_pso, of_ga = [0.1, 0.2, 0.4, 0.9], [1.5, 2.5, -7.0]
    run(spots, *of_pso, *of_ga)
    spots.fail(spots.claim_one(), retriable=False)

    groups = spread(sweeps, job_id)

    for group, values, failed, rank in zip(
        groups["byAlgorithm"], [of_ga, of_pso], [1, 0], [1, 2], strict=True
    ):
        assert (group["count"], group["failed"], group["rank"]) == (len(values), failed, rank)
        assert group["mean"] == pytest.approx(statistics.fmean(values), rel=1e-12)
        assert group["std"] == pytest.approx(statistics.stdev(values), rel=1e-12)
        assert group["median"] == pytest.approx(statistics.median(values), rel=1e-12)
        assert (group["min"], group["max"]) == (min(values), max(values))
    assert [group["value"] for group in groups["byAlgorithm"]] == ["GA", "PSO"]
    assert groups["overall"]["count"] == 7
    assert groups["overall"]["min"] == -7.0
    assert [group["value"] for group in groups["byParameter"]["dimension"]] == [1, 2, 3, 4]


def test_equal_means_share_a_rank_and_none_has_none(sweeps, spots):
    job_id = sweeps.of(4)
    run(spots, 1, 1, 2)

    groups = spread(sweeps, job_id)["byParameter"]["dimension"]

    assert [group["rank"] for group in groups] == [1, 1, 3, None]
    assert [group["std"] for group in groups] == [None] * 4


def test_numbers_of_any_size_break_nothing(sweeps, spots):
    job_id = sweeps.of(4)
    largest = sys.float_info.max
    run(spots, largest, largest, -largest, sys.float_info.min)

    overall = spread(sweeps, job_id)["overall"]

    assert (overall["max"], overall["min"]) == (largest, -largest)
    assert overall["mean"] == pytest.approx(largest / 4)
    assert overall["count"] == 4


def test_a_sum_of_tenths_is_exact(sweeps, spots):
    job_id = sweeps.of(10)
    run(spots, *[0.1] * 10)

    overall = spread(sweeps, job_id)["overall"]

    assert (overall["mean"], overall["std"]) == (0.1, 0)


def test_results_without_an_fopt_are_not_counted(sweeps, spots):
    job_id = sweeps.of(2)
    run(spots, 1, {"iter": 3})

    assert spread(sweeps, job_id)["overall"]["count"] == 1


def test_values_of_any_json_are_grouped(sweeps, spots):
    values = ["a", 1, True, 0.5]
    job_id = sweeps.make(artifact(run={"x": {"type": "ENUM_LIST", "values": values}}))
    run(spots, 1, 2, 3, 4)

    assert len(spread(sweeps, job_id)["byParameter"]["run.x"]) == 4


def test_a_parameter_of_very_many_values_is_named_and_left_out(sweeps, spots, monkeypatch):
    monkeypatch.setattr(over_the_grid, "MOST_VALUES", 3)
    job_id = sweeps.make(grid(seed=4, size=3))
    run(spots, 1)

    groups = spread(sweeps, job_id)

    assert groups["tooManyValues"] == ["run.seed"]
    assert list(groups["byParameter"]) == ["run.size"]
