"""The numbers of a sweep and of its results are kept, whatever way they take."""

import csv
import io
import json

import pytest

from tests.jobs.calls import run
from tests.jobs.sweeps import artifact
from tests.spots.calls import data, refusal

pytestmark = pytest.mark.django_db

SEED = 2**64 + 1


def sweep(sweeps, **parameter):
    return sweeps.make(artifact(run={"seed": parameter}))


@pytest.mark.parametrize(
    ("parameter", "seeds"),
    [
        ({"type": "CONSTANT", "value": SEED}, [SEED]),
        ({"type": "CONSTANT", "value": {"deep": [SEED]}}, [{"deep": [SEED]}]),
        ({"type": "ENUM_LIST", "values": [SEED, SEED + 1]}, [SEED, SEED + 1]),
        ({"type": "INT_RANGE", "min": SEED, "max": SEED + 2, "step": 2}, [SEED, SEED + 2]),
    ],
)
def test_a_large_number_of_a_grid_reaches_the_spot(sweeps, spots, parameter, seeds):
    preview = data(sweeps.post("", artifact(run={"seed": parameter}), dry_run=1))
    sweep(sweeps, **parameter)

    claimed = spots.claim(number=10)

    assert [task["params"]["params"]["run.seed"] for task in claimed] == seeds
    assert [json.loads(task["payload"])["params"]["run.seed"] for task in claimed] == seeds
    assert [payload["params"]["run.seed"] for payload in preview["payloads"]] == seeds


def test_large_numbers_of_a_result_are_shown_exactly(sweeps, spots):
    job = sweep(sweeps, type="CONSTANT", value=SEED)
    told = {"fopt": SEED, "bestPos": [SEED, 0.5], "charts": {"n": SEED}, "peakRamMb": 2**70}
    run(spots, told)

    [shown] = sweeps.results(job)

    assert shown["fopt"] == SEED
    assert shown["result"]["bestPos"] == [SEED, 0.5]
    lines = sweeps.get(f"/{job}/results", format="ndjson").getvalue().splitlines()
    assert json.loads(lines[0]) == shown
    table = io.StringIO(sweeps.get(f"/{job}/results", format="csv").getvalue().decode("utf-8-sig"))
    [row] = csv.DictReader(table)
    assert (row["fopt"], row["best_position"]) == (str(SEED), f"{SEED};0.5")
    assert row["run.seed"] == str(SEED)


def test_a_position_inside_a_text_is_shown_exactly(sweeps, spots):
    job = sweep(sweeps, type="CONSTANT", value=1)
    run(spots, {"fopt": 1, "resultJson": json.dumps({"bestPos": [SEED, 0.5]})})

    table = io.StringIO(sweeps.get(f"/{job}/results", format="csv").getvalue().decode("utf-8-sig"))

    assert next(csv.DictReader(table))["best_position"] == f"{SEED};0.5"


def test_the_largest_numbers_can_be_sorted_counted_and_shown(sweeps, spots, admin_client):
    largest = 2**1023
    values = [largest, -largest, 0]
    job = sweep(sweeps, type="ENUM_LIST", values=values)
    run(spots, largest, -largest, 5e-324)

    assert [row["fopt"] for row in sweeps.results(job, sort="fopt")] == [-largest, 5e-324, largest]
    assert data(sweeps.get(f"/{job}/best"))["best"]["fopt"] == -largest
    assert data(sweeps.get(f"/{job}/statistics"))["overall"]["count"] == 3
    page = data(sweeps.get(f"/{job}/results", sort="-param.run.seed", limit=1))
    assert page["results"][0]["params"]["run.seed"] == largest
    plot = admin_client.get(f"/console/jobs/{job}/plot")
    assert plot.status_code == 200, plot.content
    key = job.removeprefix("job-")
    assert admin_client.get(f"/admin/jobs/job/{key}/change/", follow=True).status_code == 200


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ({"type": "CONSTANT", "value": [1e308] * 1_000}, "payload would have 3"),
        ({"type": "ENUM_LIST", "values": [1e308] * 8_000}, "parameters would have more than"),
    ],
)
def test_a_sweep_counts_with_all_the_digits_of_its_numbers(sweeps, parameter, says):
    status, error = refusal(sweeps.post("", artifact(run={"seed": parameter})))

    assert status == 400
    assert says in error


def test_a_result_counts_with_all_the_digits_of_its_numbers(sweeps, spots):
    sweep(sweeps, type="CONSTANT", value=1)
    task = spots.claim_one()

    for name in ("bestPos", "charts"):
        status, error = refusal(spots.complete(task, **{name: [1e-308] * 2_000}))
        assert (status, error[: len(name)]) == (413, name)


def test_the_same_sweep_with_a_large_number_and_its_key_is_the_same(sweeps):
    body = artifact(run={"seed": {"type": "CONSTANT", "value": SEED}}, idempotencyKey="k")

    first, again = (data(sweeps.post("", body), status) for status in (201, 200))

    assert first == again


@pytest.mark.parametrize(
    "parameter",
    [
        *({"type": "CONSTANT", "value": value} for value in (1e23, -1e300, 1.797e308, 5e-324)),
        {"type": "FLOAT_RANGE", "min": 1e23, "max": 1e24, "step": 1e24},
        {"type": "ENUM_LIST", "values": [1e22, 1e23, 0.1]},
    ],
)
def test_the_same_sweep_with_a_rounded_number_and_its_key_is_the_same(sweeps, parameter):
    body = artifact(run={"x": parameter}, idempotencyKey="k")

    first, again = (data(sweeps.post("", body), status) for status in (201, 200))

    assert first == again
