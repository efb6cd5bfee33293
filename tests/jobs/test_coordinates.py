"""The coordinates of a task in its payload (contract 1.5, scenario 53)."""

import pytest

from jobs import coordinates


def test_the_older_form_has_them_beside_each_other():
    payload = {"alg": "PSO", "iterations": 100, "agents": 10, "dimension": 2}

    assert coordinates.of(payload) == {
        "algorithm": "PSO",
        "iterations": 100,
        "agents": 10,
        "dimension": 2,
    }


def test_iterations_of_old_payloads_may_be_a_range():
    assert coordinates.of({"alg": "GA", "iterations": {"max": 500}})["iterations"] == 500


def test_the_newer_form_has_them_among_its_parameters():
    params = {
        "algorithm.name": "DE",
        "algorithm.function": "sphere",
        "run.iterations": 100,
        "run.agents": 20,
        "run.dimension": 2,
        "run.seed": 7,
    }

    assert coordinates.of({"mainClass": "Main", "params": params}) == {
        "algorithm": "DE",
        "function": "sphere",
        "iterations": 100,
        "agents": 20,
        "dimension": 2,
    }


@pytest.mark.parametrize("name", ["algorithm.name", "setup.algorithm", "setup.alg", "alg"])
def test_an_algorithm_is_known_by_the_last_part_of_its_name(name):
    params = {"algorithm.function": "sphere", name: "PSO"}

    assert coordinates.of({"params": params})["algorithm"] == "PSO"


def test_a_payload_without_algorithm_shows_its_function_there():
    assert coordinates.of({"params": {"algorithm.function": "ackley"}}) == {
        "algorithm": "ackley",
        "function": "ackley",
    }


@pytest.mark.parametrize(
    "payload",
    [{}, None, "", "{broken", [], 7, {"params": None}, {"params": []}, {"alg": None}, {"alg": {}}],
)
def test_missing_coordinates_are_left_out(payload):
    assert coordinates.of(payload) == {}
