"""The grid: values without drift, every combination once, counted before anything is built."""

import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.grid import COUNTLESS, Floats, Grid, Listed, WholeNumbers


def whole(least, most, step):
    return WholeNumbers("n", least, most, step)


def floats(least, most, step):
    return list(Floats("x", least, most, step).values())


@pytest.mark.parametrize(
    ("least", "most", "step", "values"),
    [
        (100, 300, 100, [100, 200, 300]),
        (25, 75, 25, [25, 50, 75]),
        (10, 10, 1, [10]),
        (10, 10, 1000, [10]),
        (1, 10, 4, [1, 5, 9]),
        (-3, 3, 3, [-3, 0, 3]),
        (10, 5, 1, []),
    ],
)
def test_a_range_of_whole_numbers_includes_both_ends_that_its_step_reaches(
    least, most, step, values
):
    axis = whole(least, most, step)

    assert list(axis.values()) == values
    assert axis.count == len(values)


def test_a_range_of_tenths_has_the_numbers_that_people_write():
    assert floats(0.1, 0.5, 0.1) == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_thousand_steps_do_not_drift():
    assert floats(0.0, 1.0, 0.001) == [place / 1000 for place in range(1001)]


def test_a_top_that_was_added_up_is_reached():
    assert floats(0.1, 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1, 0.1)[-1] == 0.8


def test_a_top_between_two_steps_is_not_passed():
    assert floats(0.0, 0.99, 0.5) == [0.0, 0.5]


def test_the_first_axis_is_the_outermost():
    grid = Grid((Listed("a", ("x", "y")), whole(1, 2, 1)))

    assert list(grid.combinations()) == [
        {"a": "x", "n": 1},
        {"a": "x", "n": 2},
        {"a": "y", "n": 1},
        {"a": "y", "n": 2},
    ]


def test_a_grid_is_counted_without_being_built():
    sixteen_bits = WholeNumbers("n", 1, 65_536, 1)
    endless = Floats("x", 0.0, 1e308, 1e-308)

    assert Grid((sixteen_bits, sixteen_bits)).count == 2**32
    assert endless.count > 10**600
    assert Grid((endless, endless)).count == Grid((endless,) * 5_000).count == COUNTLESS + 1


def test_the_largest_number_is_not_passed():
    top = sys.float_info.max

    assert floats(0.0, top, 5.992310449541053e307)[-1] == top


def test_repeated_values_are_repeated_runs():
    assert len(list(Grid((Listed("a", ("x", "x")),)).combinations())) == 2


sizes = st.integers(1, 5)


@given(st.lists(sizes, min_size=1, max_size=4))
def test_the_count_is_that_of_what_is_built(counts):
    grid = Grid(tuple(WholeNumbers(f"n{i}", 1, size, 1) for i, size in enumerate(counts)))

    built = [tuple(combination.values()) for combination in grid.combinations()]

    assert grid.count == len(built) == len(set(built))
    assert built == list(product(*(range(1, size + 1) for size in counts)))


@given(st.integers(-50, 50), st.integers(0, 200), st.integers(1, 50), st.integers(0, 6))
def test_floats_are_exact_decimals_at_any_scale(least, length, step, places):
    unit = 10**places

    values = floats(least / unit, (least + length) / unit, step / unit)

    assert values == [number / unit for number in range(least, least + length + 1, step)]
