"""`GET /api/search/docs` and `/code`: what is found, by whom, and what is refused."""

from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from search import querysets, work
from search.models import File
from tasks.models import Task
from tests.accounts.tokens import client_of, issue, of_agent
from tests.console.people import browser_of, make_person
from tests.factories import make_channel, make_task
from tests.metrics.reading import of, samples
from tests.search.trees import look

pytestmark = pytest.mark.django_db

GUIDE = """# Guide

## Backup

Dump the database every night. A dump that nobody has restored is none.

## Leases

A lease that is not renewed expires, and the task goes back to the queue.
"""
MODULE = '''"""How tasks are claimed."""


class Queue:
    """The tasks that wait."""

    def renew_lease(self, task):
        """Start the lease of a task anew."""
        return task


def parseHeader(text):
    return text
'''


@pytest.fixture
def filled(tree):
    tree("docs/guide.md", GUIDE)
    tree("tasks/queue.py", MODULE)
    tree("tests/test_queue.py", "def test_renew_lease():\n    assert renew_lease()\n")
    look()
    return tree


def ask(q, what="docs", client=None, **query):
    query = "".join(f"&{name}={value}" for name, value in query.items())
    return (client or Client()).get(f"/api/search/{what}?q={quote(q)}{query}")


def items(*given, **query):
    answer = ask(*given, **query)
    assert answer.status_code == 200, answer.content
    return answer.json()["items"]


def test_a_section_is_found_with_its_lines_and_marks(filled):
    first = items("restore a dump")[0]

    assert (first["root"], first["path"], first["section"]) == ("tree", "docs/guide.md", "Backup")
    assert first["trail"] == ["Guide", "Backup"]
    assert first["source"] == "tree"
    assert first["tags"] == ["tree", "markdown"]
    text = first["snippet"]
    assert {text[start:end] for start, end in first["marks"]} >= {"Dump", "dump", "restored"}
    assert text in "\n".join(GUIDE.split("\n")[first["first_line"] - 1 : first["last_line"]])
    assert first["scores"]["score"] == 1.0


def test_code_is_found_by_what_it_says_and_by_its_parts(filled):
    [first, *_] = items("renew the lease", "code")

    assert (first["path"], first["symbol"], first["symbol_kind"]) == (
        "tasks/queue.py",
        "Queue.renew_lease",
        "method",
    )
    assert items("header", "code")[0]["symbol"] == "parseHeader"
    assert items("parseHeader", "code")[0]["symbol"] == "parseHeader"


def test_tests_come_behind_what_they_test(filled):
    found = [one["path"] for one in items("renew_lease", "code")]

    assert found.index("tasks/queue.py") < found.index("tests/test_queue.py")


def test_documents_are_no_code(filled):
    assert {one["path"] for one in items("lease")} == {"docs/guide.md"}
    assert "docs/guide.md" not in {one["path"] for one in items("lease", "code")}


def test_so_many_are_shown(filled):
    assert len(items("lease backup", k=1)) == 1
    answer = ask("lease backup").json()
    assert answer["count"] == len(answer["items"]) == 2
    assert answer["embedder"] == "hashing-1"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "q"),
        ("q=", "q"),
        ("q=%20%09", "q"),
        (f"q={'x' * 501}", "q"),
        ("q=x&k=0", "k"),
        ("q=x&k=51", "k"),
        ("q=x&k=-1", "k"),
        ("q=x&k=many", "k"),
        ("q=x&k=%D9%A1", "k"),
        ("q=x&source=mail", "source"),
    ],
)
@pytest.mark.parametrize("what", ["docs", "code"])
def test_what_cannot_be_asked_is_refused_by_the_name_of_its_field(query, field, what):
    if what == "code" and field == "source":
        return
    answer = Client().get(f"/api/search/{what}?{query}")

    assert answer.status_code == 400
    body = answer.json()
    assert body["code"] == "validation_error"
    assert list(body["details"]) == [field]


@pytest.mark.parametrize(
    "q",
    [
        *("!?", "'", "\\", "''; DROP TABLE search_file --", "a & | ! <-> b:*", "%s %(x)s {}"),
        *("\x00", "\x00lease\x00", "<script>", "'lease'", "der Straße 작업 задача", "\ud83d\ude00"),
        *("a" * 500, "lease " * 80, "( " * 200, "\\'\\'", "x:A", "'a' <-> 'b'"),
    ],
    ids=lambda q: ascii(q[:20]),
)
def test_any_words_may_be_asked(filled, q):
    for what in ("docs", "code"):
        assert ask(q.encode("utf-8", "surrogatepass").decode("utf-8", "replace"), what)
        assert ask(q.encode("utf-16", "surrogatepass").decode("utf-16"), what).status_code == 200
    assert File.objects.count() == 3


def test_what_is_not_there_is_not_found(tree):
    assert items("anything") == []


def test_only_some_rows_are_compared(filled, monkeypatch):
    monkeypatch.setattr(querysets, "MOST_RANKED", 1)

    assert items("lease task queue backup")


def test_a_search_is_bounded_in_time(filled):
    with CaptureQueriesContext(connection) as sent:
        ask("lease")

    assert any("SET LOCAL statement_timeout" in query["sql"] for query in sent)
    assert len([query for query in sent if query["sql"].startswith(("SELECT", "WITH"))]) <= 4


def index_tasks():
    work.TaskIndexer().run()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def people(filled):
    """Two users with a task each, and one of nobody."""
    one, other = make_person("User"), make_person("Operator")
    channel = make_channel()
    mine, theirs, nobodys = (
        make_task(channel, title=title)
        for title in ("Paint the shed red", "Paint the shed blue", "Paint the shed green")
    )
    Task.objects.filter(pk=mine.pk).update(user=one)
    Task.objects.filter(pk=theirs.pk).update(user=other)
    index_tasks()
    return one, mine, theirs, nobodys


def found_tasks(client, **query):
    return {one["task_id"] for one in items("shed lease", client=client, **query)}


def test_users_find_their_tasks_and_those_of_nobody_and_no_project(people):
    one, mine, _, nobodys = people
    client = client_of(issue(user=one, role="user").secret)

    assert found_tasks(client) == {str(mine.pk), str(nobodys.pk)}
    assert ask("lease", "code", client).status_code == 403


@pytest.mark.parametrize("group", ["Viewer", "Admin"])
def test_who_sees_everything_finds_everything(people, group):
    _, mine, theirs, nobodys = people
    client = browser_of(group)

    assert found_tasks(client) == {str(mine.pk), str(theirs.pk), str(nobodys.pk), None}
    assert found_tasks(client, source="task") == {str(mine.pk), str(theirs.pk), str(nobodys.pk)}
    assert found_tasks(client, source="tree") == {None}
    assert ask("lease", "code", client).status_code == 200


def test_agents_find_nothing(people):
    agent = client_of(of_agent("agent-1").secret)

    for what in ("docs", "code"):
        assert ask("lease", what, agent).status_code == 403


def test_a_task_that_is_gone_is_not_found(people):
    _, mine, theirs, nobodys = people
    client = browser_of("Viewer")

    Task.objects.filter(pk=mine.pk).delete()

    assert found_tasks(client, source="task") == {str(theirs.pk), str(nobodys.pk)}


def test_searches_are_counted(filled):
    def told():
        found = samples(Client().get("/metrics").content.decode())
        return [sum(of(found, name, **labels).values()) for name, labels in COUNTED]

    before = told()
    items("lease")
    filled("docs/more.md", "# More\n\nText.\n")
    look()

    assert [now - then for now, then in zip(told(), before, strict=True)] == [1, 1, 1, 1, 0]


COUNTED = [
    ("search_queries_total", {"type": "docs"}),
    ("indexing_chunks_total", {"op": "add"}),
    ("embedding_requests_total", {"of": "query"}),
    ("embedding_requests_total", {"of": "index"}),
    ("embedding_errors_total", {"of": "index"}),
]
