"""What the example computes: it gets better, repeats itself, and refuses what it cannot do."""

import json
import math

import pytest

from examples.optimizer_worker import (
    ALGORITHMS,
    FUNCTIONS,
    OptimizerRun,
    Space,
    TaskFailed,
    read,
    solve,
)

PLAIN = {"alg": "PSO", "iterations": 100, "agents": 10, "dimension": 2}
GROUPED = {
    "algorithm.name": "DE",
    "algorithm.function": "ackley",
    "run.iterations": 50,
    "run.agents": 20,
    "run.dimension": 3,
}


def run(**different):
    usual = {"algorithm": "PSO", "function": "sphere", "iterations": 100, "agents": 20}
    return OptimizerRun(**usual | {"dimension": 2, "seed": 1} | different)


@pytest.mark.parametrize(
    ("function", "optimum"),
    [("sphere", [0, 0]), ("ackley", [0, 0]), ("rosenbrock", [1, 1]), ("rastrigin", [0, 0])],
)
def test_each_function_is_zero_at_its_optimum_and_more_elsewhere(function, optimum):
    compute, edge = FUNCTIONS[function]

    assert compute(optimum) == pytest.approx(0, abs=1e-12)
    assert compute([edge / 3, -edge / 4]) > 0.1


def test_functions_have_their_known_values():
    assert FUNCTIONS["sphere"][0]([1, 2, 3]) == 14
    assert FUNCTIONS["rosenbrock"][0]([0, 0, 0]) == 2
    assert FUNCTIONS["rastrigin"][0]([1, 1]) == pytest.approx(2)
    assert FUNCTIONS["ackley"][0]([1, 1]) == pytest.approx(20 * (1 - math.exp(-0.2)))


@pytest.mark.parametrize("seed", range(5))
def test_pso_finds_the_bottom_of_the_sphere(seed):
    assert solve(run(seed=seed))["fopt"] < 1e-3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_algorithm_gets_far_better_than_chance(algorithm, function):
    one_run = run(algorithm=algorithm, function=function, iterations=300, agents=30, dimension=3)
    space = Space(function, 3, seed=1)
    by_chance = min(space.anywhere()[0] for _ in range(300))

    assert solve(one_run)["fopt"] < by_chance / 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_task_has_the_same_result_and_another_seed_another(algorithm):
    result = solve(run(algorithm=algorithm))

    assert solve(run(algorithm=algorithm)) == result
    assert solve(run(algorithm=algorithm, seed=2))["fopt"] != result["fopt"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_result_fits_together(algorithm):
    result = solve(run(algorithm=algorithm, function="rastrigin", iterations=250))
    curve = result["charts"]["convergence"]
    values = [value for _, value in curve]

    assert FUNCTIONS["rastrigin"][0](result["bestPos"]) == result["fopt"]
    assert all(abs(value) <= 5.12 for value in result["bestPos"])
    assert (curve[0][0], curve[-1][0], result["iter"]) == (1, 250, 250)
    assert values == sorted(values, reverse=True)
    assert values[-1] == result["fopt"] < values[0]
    assert 80 <= len(curve) <= 102


def test_both_forms_of_payload_are_read():
    plain = read(json.dumps(PLAIN))
    grouped = read(json.dumps({"artifactKey": "optimizer.jar", "params": GROUPED}))

    assert (plain.algorithm, plain.function, plain.iterations) == ("PSO", "sphere", 100)
    assert (plain.agents, plain.dimension) == (10, 2)
    assert (grouped.algorithm, grouped.function, grouped.iterations) == ("DE", "ackley", 50)
    assert (grouped.agents, grouped.dimension) == (20, 3)


def test_older_payloads_say_iterations_as_a_range():
    assert read(json.dumps(PLAIN | {"iterations": {"max": 70}})).iterations == 70


def test_the_seed_is_given_or_follows_from_the_parameters():
    seed = read(json.dumps(PLAIN)).seed

    assert read(json.dumps(dict(reversed(PLAIN.items())))).seed == seed
    assert read(json.dumps(PLAIN | {"agents": 11})).seed != seed
    assert read(json.dumps(PLAIN | {"seed": 7})).seed == 7
    assert read(json.dumps({"params": GROUPED | {"run.seed": 8}})).seed == 8


@pytest.mark.parametrize(
    "payload",
    [PLAIN | {"alg": "ABC"}, PLAIN | {"function": "michalewicz"}, {"params": {"run.agents": 10}}],
)
def test_what_another_worker_may_know_is_unsupported(payload):
    with pytest.raises(TaskFailed) as failed:
        read(json.dumps(payload))

    assert failed.value.report["failureReason"] == "UNSUPPORTED"
    assert failed.value.report["retriable"] is True


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ([1], "no object"),
        ({"params": "all"}, "no object"),
        (PLAIN | {"iterations": 0}, "iterations is 0"),
        (PLAIN | {"iterations": "many"}, "iterations is 'many'"),
        (PLAIN | {"agents": 3}, "agents is 3"),
        (PLAIN | {"dimension": True}, "dimension is True"),
        (PLAIN | {"dimension": None}, "dimension is None"),
        (PLAIN | {"seed": -1}, "seed is -1"),
    ],
)
def test_what_nobody_can_run_fails_for_good(payload, message):
    with pytest.raises(TaskFailed, match=message) as failed:
        read(json.dumps(payload))

    assert failed.value.report["failureReason"] == "RUNTIME_ERROR"
    assert failed.value.report["retriable"] is False
