"""The results of a sweep as NDJSON and CSV, and streamed."""

import csv
import io
import json

import pytest

from jobs import result_answers
from tests.jobs.calls import run
from tests.jobs.sweeps import artifact, functions

pytestmark = pytest.mark.django_db


def lines(response):
    """The rows of an NDJSON answer."""
    return [json.loads(line) for line in body(response).splitlines()]


def body(response):
    assert response.status_code == 200
    return b"".join(response.streaming_content) if response.streaming else response.content


def table(response):
    text = body(response).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_results_come_as_ndjson(sweeps, spots):
    job_id = sweeps.of(3)
    run(spots, 3, 1, 2)

    response = sweeps.get(f"/{job_id}/results", format="ndjson", sort="fopt")

    assert response["Content-Type"].startswith("application/x-ndjson")
    assert [line["fopt"] for line in lines(response)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv"),
        ("text/csv;q=0.9, */*", "text/csv"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
    ],
)
def test_the_accept_header_chooses_the_form(sweeps, accept, kind):
    response = sweeps.get(f"/{sweeps.make()}/results", headers={"Accept": accept})

    assert response["Content-Type"].startswith(kind)


def test_results_come_as_a_table(sweeps, spots):
    job_id = sweeps.make()
    (task,) = run(spots, {"fopt": -0.5, "bestPos": [-0.25, 0.5]})

    response = sweeps.get(f"/{job_id}/results", format="csv")

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert job_id in response["Content-Disposition"]
    assert body(sweeps.get(f"/{job_id}/results", format="csv")).startswith(b"\xef\xbb\xbftask_id,")
    assert table(response) == [
        {
            "task_id": task["id"],
            "algorithm": "PSO",
            "function": "",
            "iterations_param": "100",
            "agents": "10",
            "dimension": "2",
            "spot": "spot-1",
            "runtime_ms": "10",
            "status": "DONE",
            "iter_actual": "5",
            "fopt": "-0.5",
            "best_position": "-0.25;0.5",
        }
    ]


def test_a_table_has_a_column_for_each_parameter(sweeps, spots):
    job_id = sweeps.make(functions())
    run(spots, 1, 2, 3, 4)

    rows = table(sweeps.get(f"/{job_id}/results", format="csv", sort="-fopt"))

    assert [(row["algorithm.function"], row["run.step"], row["fopt"]) for row in rows] == [
        ("ackley", "0.2", "4"),
        ("ackley", "0.1", "3"),
        ("sphere", "0.2", "2"),
        ("sphere", "0.1", "1"),
    ]


def test_a_best_position_may_stand_in_the_results_own_text(sweeps, spots):
    job_id = sweeps.make()
    run(spots, {"resultJson": '{"bestPos":[1.5,2]}'})

    assert table(sweeps.get(f"/{job_id}/results", format="csv"))[0]["best_position"] == "1.5;2"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "@sum", "\t=1", "\r=1"])
def test_no_cell_of_a_table_starts_a_formula(sweeps, spots, text):
    run_ = {"note": {"type": "CONSTANT", "value": text}}
    job_id = sweeps.make(artifact(run=run_))
    spots.fail(spots.claim_one(text.strip() or "spot-1"), text.strip(), error=text, retriable=False)

    (row,) = table(sweeps.get(f"/{job_id}/results", format="csv", failed="true"))

    assert row["run.note"] == f"'{text}"
    assert row["spot"].startswith("'")
    assert row["error"].startswith("'")
    assert row["attempts"] == "1"


def test_many_results_are_sent_while_they_are_read(sweeps, spots, monkeypatch):
    monkeypatch.setattr(result_answers, "KEPT", 2)
    job_id = sweeps.of(5)
    run(spots, 1, 2, 3, 4, 5)

    response = sweeps.get(f"/{job_id}/results")
    whole = json.loads(body(response))

    assert response.streaming
    assert [result["fopt"] for result in whole.pop("results")] == [1, 2, 3, 4, 5]
    assert whole == {"jobId": job_id, "totalCompleted": 5}
