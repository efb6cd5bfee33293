"""A verdict must be able to find fault: each test breaks one thing of a sweep that was right."""

import json
from dataclasses import replace
from itertools import groupby

import pytest

from benchmarks.demo import sweep_show, sweep_verdict, verdict
from benchmarks.demo.grid import JOB, NAMES, POINTS, TASKS
from benchmarks.demo.sweep_verdict import Run
from examples import optimizer_worker

RIGHT = {"status": "COMPLETED", "totalTasks": TASKS, "completedTasks": TASKS, "failedTasks": 0}
VICTIM, REPLACEMENT, TAKEN_BACK = "spot-1", "spot-5", "task-60"


def result(number, where):
    named = dict(zip(NAMES, where, strict=True))
    group = {"algorithm": "algorithm.name", "function": "algorithm.function"}
    params = {group.get(name, f"run.{name}"): value for name, value in named.items()}
    order = optimizer_worker.read(json.dumps({"params": params}))
    again = where[:2] == ("PSO", "sphere")
    fopt = optimizer_worker.solve(order)["fopt"] if again else 0.5
    doer = REPLACEMENT if number >= 60 else f"spot-{number % 4 + 1}"
    more = {"taskId": f"task-{number}", "assignedTo": doer, "fopt": fopt, "params": params}
    return named | more


@pytest.fixture(scope="module")
def results():
    return [result(number, where) for number, where in enumerate(POINTS)]


def best_of(results):
    """Of each function the first that is the best, as the coordinator tells them."""
    ordered = sorted(results, key=lambda row: (row["function"], row["fopt"]))
    return [next(group) for _, group in groupby(ordered, key=lambda row: row["function"])]


def event(kind, task_id, spot_id, was="in_progress"):
    about = {"type": f"task.{kind}", "task_id": task_id, "agent_id": spot_id}
    return about | {"payload": {"from": was}}


@pytest.fixture
def run(results):
    events = [
        event("claimed", TAKEN_BACK, VICTIM, was="queued"),
        event("retried", TAKEN_BACK, VICTIM),
    ]
    for row in results:
        events.append(event("claimed", row["taskId"], row["assignedTo"], was="queued"))
        events.append(event("completed", row["taskId"], row["assignedTo"]))
    return Run(RIGHT, results, best_of(results), events, VICTIM, REPLACEMENT)


def only_fault(run, kind):
    """The complaints of this kind, if there are none of another."""
    found = sweep_verdict.judge(run)
    assert found.complaints == getattr(found, kind)[: verdict.SHOWN]
    assert found.complaints
    return found.complaints


def test_the_grid_has_as_many_points_as_its_job_asks_for():
    axes = [axis for group in JOB["parameters"] for axis in group["params"].values()]
    sizes = [
        len(axis["values"])
        if axis["type"] == "ENUM_LIST"
        else len(range(axis["min"], axis["max"] + 1, axis["step"]))
        for axis in axes
    ]

    assert sizes == [3, 3, 5, 2, 2]
    assert TASKS == 180


def test_a_sweep_that_was_right_finds_no_fault(run):
    found = sweep_verdict.judge(run)

    assert found.complaints == []
    assert found.taken_back == 1


@pytest.mark.parametrize(
    "wrong", [{"completedTasks": 179}, {"failedTasks": 1}, {"status": "RUNNING"}]
)
def test_a_counter_that_is_off_is_found(run, wrong):
    assert only_fault(replace(run, job=RIGHT | wrong), "counters")


def test_a_point_without_a_result_is_found(run):
    row = run.results[70]
    events = [event for event in run.events if event["task_id"] != row["taskId"]]
    others = [each for each in run.results if each is not row]

    (fault,) = only_fault(replace(run, results=others, events=events), "grid")

    assert "no result for" in fault


def test_a_result_in_the_wrong_place_is_found(run):
    rows = [*run.results]
    rows[70] = rows[70] | {"iterations": 100, "agents": 10, "dimension": 2}

    assert len(only_fault(replace(run, results=rows), "grid")) == 2


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (event("completed", "task-3", "spot-4"), "was done, then task.completed by spot-4"),
        (event("claimed", "task-3", "spot-2", was="queued"), "was done, then task.claimed"),
    ],
)
def test_a_task_done_twice_is_found(run, more, fault):
    (said,) = only_fault(replace(run, events=[*run.events, more]), "once")

    assert fault in said


def test_a_task_that_the_journal_does_not_see_done_is_found(run):
    events = [
        one for one in run.events if (one["type"], one["task_id"]) != ("task.completed", "task-9")
    ]

    assert only_fault(replace(run, events=events), "once") == [
        "the journal does not see task-9 done"
    ]


def test_a_death_that_cost_nothing_is_no_proof(run):
    assert "nothing was taken back" in only_fault(replace(run, events=run.events[2:]), "death")[0]
    assert only_fault(replace(run, killed="", replacement=""), "death") == ["no worker was killed"]


def test_a_task_that_comes_back_from_the_dead_is_found(run):
    rows = [*run.results]
    rows[60] = rows[60] | {"assignedTo": VICTIM}

    (fault,) = only_fault(replace(run, results=rows), "death")

    assert "nobody else has done it" in fault


def test_a_replacement_that_does_nothing_is_found(run):
    (fault,) = only_fault(replace(run, replacement="spot-6"), "death")

    assert "spot-6" in fault


def test_a_bad_result_is_found(run):
    rows = [row | {"fopt": 0.5} if sweep_verdict.is_easy(row) else row for row in run.results]

    faults = only_fault(replace(run, results=rows, best=best_of(rows)), "results")

    assert "not below 0.001" in faults[0]
    assert "came to 0.5, not " in faults[1]


def test_a_result_that_cannot_be_repeated_is_found(run):
    rows = [*run.results]
    rows[1] = rows[1] | {"fopt": rows[1]["fopt"] * 1.0001}

    assert len(only_fault(replace(run, results=rows), "results")) == 1


def test_a_best_that_is_not_the_best_is_found(run):
    second = [row | {"fopt": row["fopt"] + 0.1} for row in run.best[:1]]

    (fault,) = only_fault(replace(run, best=[*second, *run.best[1:]]), "results")

    assert "the best of ackley is shown as" in fault


def test_a_function_without_a_best_is_found(run):
    assert len(only_fault(replace(run, best=run.best[:2]), "results")) == 1


def test_all_results_and_the_best_are_shown(run):
    rows = sweep_show.results(run.results).rows
    functions, *_ = ([*column.cells] for column in sweep_show.best(run.best).columns)

    assert len(rows) == 36
    assert functions == ["ackley", "rastrigin", "sphere"]
