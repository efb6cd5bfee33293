"""The best results of a sweep, and how results spread over its grid."""

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


def found(lines):
    return {line["value"]: line["fopt"] for line in lines}


def test_the_best_is_the_smallest_overall_and_of_each_kind(sweeps, spots):
    job_id = sweeps.make(algorithms=["PSO", "GA"], dimension=(2, 3, 1))
    tasks = run(spots, 0.5, -1.5, 0.25, 3)

    told = best(sweeps, job_id)

    assert (told["best"]["taskId"], told["best"]["fopt"]) == (tasks[1]["id"], -1.5)
    assert "result" not in told["best"]
    assert found(told["byAlgorithm"]) == {"PSO": -1.5, "GA": 0.25}
    assert told["byFunction"] == []
    assert found(told["byParameter"]["dimension"]) == {2: 0.25, 3: -1.5}
    assert found(told["byParameter"]["iterations"]) == {100: -1.5}


def test_the_best_of_each_function_and_parameter_of_the_second_form(sweeps, spots):
    job_id = sweeps.make(functions())
    run(spots, 4, 3, 2, 1)

    told = best(sweeps, job_id)

    assert found(told["byFunction"]) == {"sphere": 3, "ackley": 1}
    assert found(told["byParameter"]["run.step"]) == {0.1: 2, 0.2: 1}


def test_of_equals_the_one_made_first_is_the_best(sweeps, spots):
    job_id = sweeps.of(2)
    tasks = run(spots, 1, 1)

    assert best(sweeps, job_id)["best"]["taskId"] == tasks[0]["id"]


def test_a_sweep_without_results_has_no_best(sweeps):
    told = best(sweeps, sweeps.make())

    assert told["best"] is None
    assert told["byAlgorithm"] == []


def test_statistics_are_those_of_the_results(sweeps, spots):
    job_id = sweeps.make(algorithms=["PSO", "GA"], dimension=(1, 4, 1))
    of_pso, of_ga = [0.1, 0.2, 0.4, 0.9], [1.5, 2.5, -7.0]
    run(spots, *of_pso, *of_ga)
    spots.fail(spots.claim_one(), retriable=False)

    told = spread(sweeps, job_id)

    for line, values, failed, rank in zip(
        told["byAlgorithm"], [of_ga, of_pso], [1, 0], [1, 2], strict=True
    ):
        assert (line["count"], line["failed"], line["rank"]) == (len(values), failed, rank)
        assert line["mean"] == pytest.approx(statistics.fmean(values), rel=1e-12)
        assert line["std"] == pytest.approx(statistics.stdev(values), rel=1e-12)
        assert line["median"] == pytest.approx(statistics.median(values), rel=1e-12)
        assert (line["min"], line["max"]) == (min(values), max(values))
    assert [line["value"] for line in told["byAlgorithm"]] == ["GA", "PSO"]
    assert told["overall"]["count"] == 7
    assert told["overall"]["min"] == -7.0
    assert [line["value"] for line in told["byParameter"]["dimension"]] == [1, 2, 3, 4]


def test_equal_means_share_a_rank_and_none_has_none(sweeps, spots):
    job_id = sweeps.of(4)
    run(spots, 1, 1, 2)

    lines = spread(sweeps, job_id)["byParameter"]["dimension"]

    assert [line["rank"] for line in lines] == [1, 1, 3, None]
    assert [line["std"] for line in lines] == [None] * 4


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


def test_a_parameter_of_any_json_is_told_apart(sweeps, spots):
    values = ["a", 1, True, 0.5]
    job_id = sweeps.make(artifact(run={"x": {"type": "ENUM_LIST", "values": values}}))
    run(spots, 1, 2, 3, 4)

    assert len(spread(sweeps, job_id)["byParameter"]["run.x"]) == 4


def test_a_parameter_of_very_many_values_is_named_and_left_out(sweeps, spots, monkeypatch):
    monkeypatch.setattr(over_the_grid, "MOST_VALUES", 3)
    job_id = sweeps.make(grid(seed=4, size=3))
    run(spots, 1)

    told = spread(sweeps, job_id)

    assert told["tooManyValues"] == ["run.seed"]
    assert list(told["byParameter"]) == ["run.size"]
