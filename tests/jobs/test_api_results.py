"""The results of a sweep over HTTP: all, filtered, and sorted."""

import pytest

from tasks.models import Task
from tests.jobs.calls import run
from tests.jobs.sweeps import artifact, functions
from tests.spots.calls import data, refusal

pytestmark = pytest.mark.django_db


def test_results_are_those_of_the_seed(sweeps, spots):
    job_id = sweeps.make()
    task = spots.claim_one()
    spots.complete(
        task, runtimeMs=1234, iter=100, fopt=0.001, resultJson='{"done":true}', bestPos=[0.5, -1]
    )

    shown = data(sweeps.get(f"/{job_id}/results"))

    assert (shown["jobId"], shown["totalCompleted"]) == (job_id, 1)
    (result,) = shown["results"]
    finished, started = result.pop("finishedAt"), result.pop("startedAt")
    assert started <= finished
    assert finished.endswith("Z")
    assert result == {
        "taskId": task["id"],
        "status": "DONE",
        "algorithm": "PSO",
        "iterations": 100,
        "agents": 10,
        "dimension": 2,
        "fopt": 0.001,
        "runtimeMs": 1234,
        "iter": 100,
        "assignedTo": "spot-1",
        "result": {
            "runtimeMs": 1234,
            "iter": 100,
            "fopt": 0.001,
            "resultJson": '{"done":true}',
            "bestPos": [0.5, -1],
        },
    }


def test_a_sweep_without_results_has_none(sweeps):
    job_id = sweeps.make()

    assert data(sweeps.get(f"/{job_id}/results")) == {
        "jobId": job_id,
        "totalCompleted": 0,
        "results": [],
    }


def test_b15_failed_tasks_are_shown_on_request_with_their_errors(sweeps, spots):
    job_id = sweeps.of(2, maxAttempts=2)
    for _ in range(2):
        spots.fail(spots.claim_one(), error="out of memory")
    run(spots, 1.0)

    alone = sweeps.results(job_id)
    both = data(sweeps.get(f"/{job_id}/results", failed="true"))

    assert [result["status"] for result in alone] == ["DONE"]
    assert both["totalCompleted"] == 1
    failed, _ = both["results"]
    assert (failed["status"], failed["errorMessage"]) == ("FAILED", "out of memory")
    assert (failed["attempts"], failed["deadLetter"]) == (2, "exhausted")
    assert [bad["error"] for bad in failed["attemptHistory"]] == ["out of memory"] * 2
    assert {bad["spotId"] for bad in failed["attemptHistory"]} == {"spot-1"}


def test_results_come_in_the_order_of_creation(sweeps, spots):
    job_id = sweeps.of(3)
    for task in reversed(spots.claim()):
        spots.complete(task)

    assert [result["dimension"] for result in sweeps.results(job_id)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("sort", "dimensions"),
    [
        ("fopt", [3, 1, 2, 4]),
        ("-fopt", [2, 1, 3, 4]),
        ("dimension", [1, 2, 3, 4]),
        ("-dimension", [4, 3, 2, 1]),
        ("-param.dimension", [4, 3, 2, 1]),
        ("runtimeMs", [4, 3, 2, 1]),
        ("finishedAt", [1, 2, 3, 4]),
        ("algorithm", [1, 2, 3, 4]),
        ("spot", [1, 2, 3, 4]),
    ],
)
@pytest.mark.parametrize("limit", ["", 1, 3])
def test_results_are_sorted_those_without_a_value_last(sweeps, spots, sort, dimensions, limit):
    job_id = sweeps.of(4)
    run(
        spots,
        {"fopt": 0.5, "runtimeMs": 40},
        {"fopt": 10, "runtimeMs": 30},
        {"fopt": -2.5, "runtimeMs": 20},
        {"runtimeMs": 10},
    )

    assert [result["dimension"] for result in paged(sweeps, job_id, limit, sort=sort)] == dimensions


def paged(sweeps, job_id, limit, **query):
    """All results, page by page."""
    found, cursor = [], None
    while cursor != "":
        more = {"limit": limit, "cursor": cursor} if cursor else {"limit": limit}
        page = data(sweeps.get(f"/{job_id}/results", **query, **more))
        assert len(page["results"]) <= (limit or 500)
        found += page["results"]
        cursor = page.get("next_cursor", "")
    return found


def test_pages_of_equal_values_leave_nothing_out(sweeps, spots):
    job_id = sweeps.of(5)
    run(spots, 1, 1, 1, 1, 1)

    for sort in ("fopt", "-fopt", ""):
        found = [result["dimension"] for result in paged(sweeps, job_id, 2, sort=sort)]
        assert found == [1, 2, 3, 4, 5]


def test_a_page_may_be_requested_by_offset(sweeps, spots):
    job_id = sweeps.of(5)
    run(spots, 1, 2, 3, 4, 5)

    page = data(sweeps.get(f"/{job_id}/results", offset=1, limit=2))

    assert [result["fopt"] for result in page["results"]] == [2, 3]
    assert page["totalCompleted"] == 5


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "colour"},
        {"sort": "param.colour"},
        {"format": "xml"},
        {"limit": "ten"},
        {"offset": "-1"},
        {"offset": "1" * 20},
        {"cursor": "WzFd"},
        {"cursor": "!"},
        {"cursor": "WyJOYU4iLCIiLCIwIl0"},
        {"fopt_max": "low"},
        {"fopt_max": "nan"},
        {"fopt_min": "1e999"},
    ],
)
def test_invalid_queries_are_refused(sweeps, query):
    assert refusal(sweeps.get(f"/{sweeps.make()}/results", **query))[0] == 400


def test_a_cursor_is_valid_only_in_its_order(sweeps, spots):
    job_id = sweeps.of(3)
    run(spots, 1, 2, 3)
    of_fopt, of_creation = (
        data(sweeps.get(f"/{job_id}/results", limit=1, sort=sort))["next_cursor"]
        for sort in ("fopt", "")
    )

    assert refusal(sweeps.get(f"/{job_id}/results", cursor=of_fopt))[0] == 400
    assert refusal(sweeps.get(f"/{job_id}/results", cursor=of_creation, sort="fopt"))[0] == 400


@pytest.mark.parametrize(
    ("query", "fopts"),
    [
        ({"algorithm": "PSO"}, [1, 2]),
        ({"algorithm": "ABC"}, []),
        ({"dimension": "3"}, [2, 4]),
        ({"dimension": "3.0"}, [2, 4]),
        ({"param.dimension": "2", "algorithm": "GA"}, [3]),
        ({"param.algorithm": "GA"}, [3, 4]),
        ({"iterations": "100", "agents": "10"}, [1, 2, 3, 4]),
        ({"function": "sphere"}, []),
        ({"param.colour": "red"}, []),
        ({"spot": "spot-1"}, [1, 2, 3, 4]),
        ({"spot": "spot-2"}, []),
        ({"fopt_max": "2"}, [1, 2]),
        ({"fopt_min": "2", "fopt_max": "3"}, [2, 3]),
        ({"unknown": "ignored"}, [1, 2, 3, 4]),
        ({"algorithm": "'; drop table jobs_job; --"}, []),
    ],
)
def test_results_are_filtered(sweeps, spots, query, fopts):
    job_id = sweeps.make(algorithms=["PSO", "GA"], dimension=(2, 3, 1))
    run(spots, 1, 2, 3, 4)

    assert [result["fopt"] for result in sweeps.results(job_id, **query)] == fopts


def test_results_of_the_second_form_show_their_parameters(sweeps, spots):
    job_id = sweeps.make(functions())
    run(spots, 1, 2, 3, 4)

    shown = sweeps.results(job_id, function="ackley", **{"param.run.step": "0.2"})

    assert [result["params"] for result in shown] == [
        {"algorithm.function": "ackley", "run.step": 0.2}
    ]
    assert shown[0]["fopt"] == 4


def test_a_result_of_another_shape_is_shown_as_it_is(sweeps, spots):
    job_id = sweeps.of(4)
    run(spots, 1, 2, 3, 4)
    tasks = Task.objects.order_by("pk")
    for task, result in zip(tasks, ["text", [1], {"fopt": "NaN"}, None], strict=True):
        Task.objects.filter(pk=task.pk).update(result=result)

    shown = sweeps.results(job_id, sort="fopt")

    assert [result.get("result") for result in shown] == ["text", [1], {"fopt": "NaN"}, None]
    assert data(sweeps.get(f"/{job_id}/statistics"))["overall"]["count"] == 0
    assert data(sweeps.get(f"/{job_id}/best"))["best"] is None


def test_columns_of_parameters_stand_in_the_order_in_which_they_were_given(sweeps):
    one = {"type": "CONSTANT", "value": 1}
    job_id = sweeps.make(artifact(run={"swarm": one, "b": one}, all={"c": one}))

    table = b"".join(sweeps.get(f"/{job_id}/results", format="csv").streaming_content)

    assert table.decode().splitlines()[0].split(",")[-3:] == ["run.swarm", "run.b", "all.c"]
