"""`/console/tables/actions`: one entry for each use of a verb, and its rows."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.callers import LOCAL
from console import kinds
from dashboard.tables import actions
from events import audit
from events.audit import Entry
from events.models import Event, OperatorAction
from tests.console.people import browser_of
from tests.factories import make_agent, make_channel, make_job, make_tasks

pytestmark = pytest.mark.django_db

PATH = "/console/tables/actions"


def get(path="", **query):
    answer = Client().get(f"{PATH}{path}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def use(verb="cancel", rows=1, actor="ann", kind="task", request="", refused=0, **fields):
    """Rows as `carry_out` leaves them."""
    OperatorAction.objects.bulk_create(
        OperatorAction(
            **{"reason": "r", "before": {"n": 1}, "after": {"n": 2}} | fields,
            actor=actor,
            verb=verb,
            kind=kind,
            object_id=f"{kind}-{number}",
            request_id=request,
            refused="wrong_status" if number < refused else "",
        )
        for number in range(rows)
    )


def shown(**query):
    return [(row["verb"], row["count"]) for row in get(**query)["uses"]]


def test_a_verb_on_many_tasks_is_one_entry_that_unfolds_with_what_changed():
    channel = make_channel()
    tasks = make_tasks(3, channel=channel)
    body = {"ids": [str(task.pk) for task in tasks], "reason": "not needed"}
    answer = browser_of("Operator").post(
        "/console/tasks/cancel", body, content_type="application/json"
    )
    assert answer.json()["done"] == 3

    [entry] = get()["uses"]
    rows = get(f"/{entry['id']}")["rows"]

    assert (entry["verb"], entry["kind"], entry["count"]) == ("cancel", "task", 3)
    assert (entry["reason"], entry["refused"]) == ("not needed", 0)
    assert sorted(row["object_id"] for row in rows) == sorted(str(task.pk) for task in tasks)
    assert {(row["before"]["status"], row["after"]["status"]) for row in rows} == {
        ("queued", "cancelled")
    }


def test_what_was_acted_on_is_named_by_its_title_while_it_is_there():
    channel = make_channel("builds")
    kept, purged = make_tasks(2, channel=channel, title="a" * 300)
    job, agent = make_job(), make_agent("rack/a1", name="first rack")
    of = {"task": [kept.pk, purged.pk], "job": [job.pk], "agent": [agent.pk], "nonsense": ["x"]}
    of |= {"channel": [channel.pk]}
    for kind, ids in of.items():
        for pk in ids:
            audit.write(LOCAL, "look", kind, "r", [Entry(str(pk))])
    purged.delete()

    titles = [use["titles"] for use in reversed(get()["uses"])]

    assert titles == [
        {str(kept.pk): "a" * 200},
        {},
        {},
        {agent.pk: "first rack"},
        {},
        {str(channel.pk): "builds"},
    ]
    rows = [get(f"/{use['id']}")["rows"][0] for use in reversed(get()["uses"])]
    assert [row["kind"] for row in rows] == ["task", "task", *list(of)[1:]]
    named = ["a" * 200, None, None, "first rack", None, "builds"]
    assert [row.get("title") for row in rows] == named


def test_titles_of_many_uses_cost_one_query_for_each_kind(django_assert_num_queries):
    for number in range(3):
        for title in "ab":
            [task] = make_tasks(1, title=title)
            audit.write(LOCAL, "look", "task", "r", [Entry(str(task.pk))])
        audit.write(LOCAL, "look", "agent", "r", [Entry(make_agent(f"a{number}").pk)])

    with django_assert_num_queries(5):  # two for the uses, one for their rows
        assert len(get()["uses"]) == 9


def test_things_without_a_title_are_not_read(django_assert_num_queries):
    """An event may be large, and no column of it is a title."""
    event = Event.objects.create(type="a.b")

    with django_assert_num_queries(0):
        assert kinds.titles_of("event", [str(event.pk)]) == {}


def test_nobody_hides_what_they_did_in_what_another_request_did():
    channel = make_channel()
    ann, ben = browser_of("Admin"), browser_of("Operator")
    for browser in (ann, ben, ben):
        [task] = make_tasks(1, channel=channel)
        answer = browser.post(
            "/console/tasks/cancel",
            {"ids": [str(task.pk)], "reason": "why"},
            content_type="application/json",
            headers={"X-Request-Id": "the same"},
        )
        assert answer.json()["done"] == 1
        assert answer["X-Request-Id"] == "the same"

    assert [(one["actor"], one["count"]) for one in get()["uses"]] == [
        ("user:operator", 1),
        ("user:operator", 1),
        ("user:admin", 1),
    ]


def test_the_latest_come_first_and_each_comes_once_also_where_some_went_on_at_once():
    use("drain", request="a")
    for number in range(4):  # two at once, row by row
        use("cancel", request="b", reason=str(number))
        use("requeue", request="c")
    use("prioritize")
    use("prioritize")

    assert shown() == [
        ("prioritize", 1),
        ("prioritize", 1),
        ("requeue", 4),
        ("cancel", 4),
        ("drain", 1),
    ]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_in_a_row_are_the_list(monkeypatch, limit):
    monkeypatch.setattr(actions, "LOOKS", (2, 4))
    for number in range(9):
        use(f"v{number}", rows=1 + number % 4, request=f"r{number}" if number % 3 else "")
    found, body = [], get(limit=limit)
    while True:
        found += [(row["verb"], row["count"]) for row in body["uses"]]
        if "next" not in body:
            break
        body = get(limit=limit, after=body["next"])

    monkeypatch.undo()
    assert found == shown(limit=500)
    assert len(found) == 6 + 8  # the eight rows without a request stand alone


def test_filters():
    now = timezone.now()
    use("cancel", rows=3, request="a", actor="ann", refused=1)
    use("drain", request="b", actor="bea", kind="agent")
    use("old", request="c")
    OperatorAction.objects.filter(verb="old").update(created_at=now - timedelta(days=9))

    assert shown(actor="bea") == shown(kind="agent") == shown(verb="drain") == [("drain", 1)]
    assert shown(refused="true") == [("cancel", 3)]
    assert [row["refused"] for row in get(refused="true")["uses"]] == [1]
    assert shown(actor="bea", verb="cancel") == []
    yesterday = (now - timedelta(days=1)).isoformat()
    assert shown(created_after=yesterday) == [("drain", 1), ("cancel", 3)]
    assert shown(created_before=yesterday) == [("old", 1)]


def test_rows_of_a_use_come_page_by_page_with_why_they_were_refused():
    use(rows=5, request="a", refused=2, message="It has ended.")
    use("other", request="b")
    [_, entry] = get()["uses"]

    rows, body = [], get(f"/{entry['id']}", limit=2)
    rows += body["rows"]
    while "next" in body:
        body = get(f"/{entry['id']}", limit=2, after=body["next"])
        rows += body["rows"]

    assert [row["object_id"] for row in rows] == [f"task-{number}" for number in range(5)]
    assert [row.get("refused", "") for row in rows] == ["wrong_status"] * 2 + [""] * 3
    assert rows[0]["message"] == "It has ended."


@pytest.mark.parametrize("use_id", ["1", "x", "9" * 30, "-1"])
def test_a_use_that_is_not_there_is_404(use_id):
    assert Client().get(f"{PATH}/{use_id}").status_code == 404


@pytest.mark.parametrize(
    "query",
    [{"after": "x"}, {"limit": "x"}, {"refused": "x"}, {"created_after": "x"}, {"after": "9" * 30}],
    ids=str,
)
def test_what_makes_no_sense_is_refused(query):
    use()

    assert Client().get(PATH, query).status_code == 400


def test_an_action_of_an_agent_verb_names_it():
    agent = make_agent()
    body = {"ids": [agent.pk], "reason": "r"}
    browser_of("Operator").post("/console/agents/drain", body, content_type="application/json")

    [entry] = get(kind="agent")["uses"]

    assert entry["objects"] == [agent.pk]


def test_the_index_of_requests_serves_the_rows_of_a_use():
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [INDEX])
        [(definition,)] = cursor.fetchall()

    assert "(request_id, id)" in definition


INDEX = "operator_action_of_request"
