"""The evaluation: its formulas, its reports, and the search of this project itself."""

import json
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from coordinator_project.env import BASE_DIR
from search import evaluation, finding
from search.evaluation import Outcome, Query
from search.management.commands.search_eval import QUERIES
from search.models import Kind
from search.ranking import Ranked
from search.snippets import Snippet

ALL = evaluation.read(BASE_DIR / QUERIES)


def query(**fields):
    given = {"id": "q", "kind": Kind.DOCS, "text": "x", "expected": [{"path": "a.md"}]}
    return Query(**{**given, "held_out": False} | fields)


def ranked(*ranks):
    return [Outcome(query(), rank, [], 1.0) for rank in ranks]


def hit(path="a.md", trail=(), symbol=""):
    shown = Snippet("", 1, 1, [])
    return finding.Hit(
        "tree", "r", path, "", None, trail, symbol, "", 1, 1, shown, Ranked(1, 1.0, 1.0, None)
    )


def test_the_example_of_the_contract():
    found = evaluation.metrics(ranked(1, 3, None, 2, 5))

    assert found["hit@3"] == 0.6
    assert round(found["mrr"], 4) == 0.4067


@pytest.mark.parametrize(
    ("ranks", "kind", "passes"),
    [
        ([1, 1, 1, None], Kind.DOCS, True),
        ([1, 1, 4, None], Kind.DOCS, False),
        ([1] * 7 + [None] * 3, Kind.CODE, True),
        ([1] * 69 + [None] * 31, Kind.CODE, False),
        ([], Kind.CODE, False),
    ],
)
def test_the_threshold_is_met_or_not(ranks, kind, passes):
    assert evaluation.passes(evaluation.metrics(ranked(*ranks)), kind) is passes


@pytest.mark.parametrize(
    ("row", "expected", "is_answer"),
    [
        (hit(), {"path": "a.md"}, True),
        (hit("b.md"), {"path": "a.md"}, False),
        (hit(trail=["A", "B"]), {"path": "a.md", "section": "A"}, True),
        (hit(trail=["A"]), {"path": "a.md", "section": "B"}, False),
        (hit(symbol="Queue.pop"), {"path": "a.md", "symbol": "Queue"}, True),
        (hit(symbol="Queue.pop"), {"path": "a.md", "symbol": "pop"}, True),
        (hit(symbol="Queues"), {"path": "a.md", "symbol": "Queue"}, False),
    ],
)
def test_what_answers_a_query(row, expected, is_answer):
    assert evaluation.answers(row, [{"path": "z"}, expected]) is is_answer


def test_a_query_that_fails_is_a_miss():
    def broken(text, kind):
        raise DatabaseError("away")

    outcome = evaluation.ask(query(), broken)

    assert (outcome.rank, outcome.error) == (None, "away")
    assert evaluation.metrics([outcome])["hit@3"] == 0.0


def test_the_queries_were_halved_by_their_order_alone():
    for kind, least in ((Kind.DOCS, 40), (Kind.CODE, 40)):
        ours = [one for one in ALL if one.kind == kind and one.language == "en"]

        assert len(ours) >= least
        assert [one.held_out for one in ours] == [n % 2 == 1 for n in range(len(ours))]
    assert {one.language for one in ALL} == {"en", "ko", "ru"}
    assert len({one.id for one in ALL}) == len(ALL)


def test_what_the_queries_expect_is_there():
    for one in ALL:
        for expected in one.expected:
            text = (BASE_DIR / expected["path"]).read_text()
            if "section" in expected:
                assert f"# {expected['section']}\n" in text, one.id
            if "symbol" in expected:
                assert f" {expected['symbol']}" in text, one.id


@pytest.mark.django_db
def test_this_project_is_found_in(settings, tmp_path, capsys):
    """The gate of CI: both halves are reported, the numbers are the same each time."""
    with connection.cursor() as cursor:  # all vectors are compared here, so no index is needed
        cursor.execute("DROP INDEX search_vectors_of_docs_256, search_vectors_of_code_256")
        cursor.execute("SET LOCAL jit = off")
    settings.SEARCH_ROOTS = (("project", BASE_DIR),)

    call_command("search_eval", reports=tmp_path)
    reports = json.loads((tmp_path / "latest.json").read_text())
    rows = {row["id"]: row for kind in Kind for row in reports[kind]["queries"]}
    for one in ALL[::10]:
        assert json.loads(json.dumps(evaluation.described(evaluation.ask(one)))) == rows[one.id]
    for kind in Kind:
        report = reports[kind]
        assert report["passed"]
        assert report["halves"]["held_out"]["hit@3"] >= report["thresholds"]["hit@3"] - 0.05
        assert report["index"]["chunks"] > 100
        [file] = tmp_path.glob(f"*-{kind}.json")
        assert json.loads(file.read_text()) == report
    assert "held_out" in capsys.readouterr().out


@pytest.mark.django_db
def test_too_few_answers_end_with_an_error(settings, tmp_path):
    settings.SEARCH_ROOTS = ()

    with pytest.raises(CommandError, match="Too few"):
        call_command("search_eval", reports=tmp_path)

    report = json.loads((tmp_path / "latest.json").read_text())["docs"]
    assert report["passed"] is False
    assert report["metrics"]["hit@3"] == 0.0
    assert len(report["failures"]) == len(
        [q for q in ALL if q.kind == "docs" and q.language == "en"]
    )


@pytest.mark.django_db
@pytest.mark.parametrize("content", ["", "{}", "[{}]", '[{"id": "a", "type": "x"}]', "nothing"])
def test_queries_that_cannot_be_read_are_refused(tmp_path, content):
    place = tmp_path / "queries.json"
    if content != "nothing":
        place.write_text(content)

    with pytest.raises(CommandError):
        call_command("search_eval", "--as-it-is", queries=place, reports=tmp_path)


def test_queries_without_answers_fail():
    assert not evaluation.passes(evaluation.metrics([replace(one) for one in ranked()]), Kind.DOCS)


@pytest.mark.django_db
def test_the_held_out_may_be_asked_alone(settings, tmp_path):
    settings.SEARCH_ROOTS = ()

    with pytest.raises(CommandError):
        call_command("search_eval", "--held-out", reports=tmp_path)

    report = json.loads((tmp_path / "latest.json").read_text())["code"]
    assert {row["held_out"] for row in report["queries"]} == {True}
