"""A page ends where its rows hold too much, and what is behind comes with the next."""

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.models import Agent, Notification
from api import sizes
from api.renderers import dumps
from chains.models import Chain
from dashboard import snapshot
from events.models import Event
from jobs.models import Job
from tasks.models import Attempt, Channel, Task
from tests.api.test_list_plans import ALL_LISTS
from tests.factories import fail_at_once, make_channel, make_held_task, make_job, tasks_of

pytestmark = pytest.mark.django_db

ROWS = 12
EACH = 3_000  # bytes of a row
MOST = 10_000
LARGE = "x" * EACH
LEAN = {"api/v1/jobs", "console/tables/jobs"}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(sizes, "MOST_BYTES", MOST)
    monkeypatch.setattr(sizes, "FEW", 2)


def make_rows(path):
    """Rows of each list, with something large in them; what a list shows of one of them."""
    channel = make_channel()
    agents = [Agent(id=f"a{n}", protocol="spot", meta={"host": LARGE}) for n in range(ROWS)]
    made = {
        "v1/tasks": lambda n: Task(channel=channel, title="t", payload={"x": [LARGE]}),
        "api/collab/jobs/recent": lambda n: Task(channel=channel, title="t", payload={"x": LARGE}),
        "functions/v1/jobs-recent": lambda n: Task(
            channel=channel, title="t", payload={"x": LARGE}
        ),
        "console/tables/tasks": lambda n: Task(channel=channel, title=f"t{n}" + LARGE),
        "v1/dead-letters": lambda n: Task(channel=channel, title="t", description=LARGE),
        "v1/chains": lambda n: Chain(channel=channel, name="c", description=LARGE),
        "v1/channels": lambda n: Channel(name=f"c{n}", description=LARGE),
        "v1/events": lambda n: Event(type="e", payload={"x": LARGE}),
        "v1/agents": lambda n: agents[n],
        "api/v1/spots": lambda n: agents[n],
        "console/tables/jobs": lambda n: Job(
            kind="sweep", name="n", specification={"jarPath": "j", "x": LARGE}
        ),
        "api/v1/jobs": lambda n: Job(kind="sweep", specification={"jarPath": "j", "x": LARGE}),
        "v1/notifications": lambda n: Notification(
            agent=agents[n], type="setup_waiting", message=LARGE
        ),
    }[path]
    if path == "v1/notifications":
        Agent.objects.bulk_create(agents)
    rows = [made(n) for n in range(ROWS)]
    type(rows[0]).objects.bulk_create(rows)
    if path == "v1/dead-letters":
        fail_at_once(Task.objects.all())


def walk(path, **query):
    """The rows of each page; the list's name is the one key that is no cursor."""
    while True:
        body = Client().get(f"/{path}", query).json()
        cursor = body.pop("next_cursor", None) or body.pop("nextCursor", None)
        [rows] = [value for value in body.values() if isinstance(value, list)]
        yield rows
        if cursor is None:
            return
        query["cursor"] = cursor


@pytest.mark.parametrize("path", ALL_LISTS)
def test_a_list_of_large_rows_is_paged_by_their_size(path):
    make_rows(path)

    listed = list(walk(path))

    shown = [row.get("id") or row["agent_id"] for rows in listed for row in rows]
    assert len(shown) >= ROWS
    assert len(set(shown)) == len(shown)
    if path not in LEAN:  # shows a part of what a job holds, and reads no more
        assert max(len(rows) for rows in listed) <= MOST // EACH + 1


@pytest.mark.parametrize("path", ALL_LISTS)
def test_a_row_that_is_too_large_alone_is_a_page(path, monkeypatch):
    monkeypatch.setattr(sizes, "MOST_BYTES", EACH // 2)
    make_rows(path)

    assert {len(rows) for rows in walk(path) if path not in LEAN} <= {1}


def test_a_list_of_jobs_does_not_read_what_they_were_asked_for():
    make_rows("api/v1/jobs")

    with CaptureQueriesContext(connection) as sent:
        jobs = Client().get("/api/v1/jobs", {"offset": 0}).json()["jobs"]

    assert [job["jarPath"] for job in jobs] == ["j"] * ROWS
    assert LARGE not in str(jobs)
    assert all('"specification",' not in query["sql"] for query in sent)


@pytest.fixture
def sweep():
    job = make_job(tasks=ROWS)
    done = {"status": "done", "finished_at": Now(), "result": {"fopt": 1, "resultJson": LARGE}}
    agent = make_held_task().agent
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    Task.objects.filter(job=job).update(**done, last_holder=agent.pk)
    return job


@pytest.mark.parametrize("query", [{"limit": 10}, {"limit": 10, "sort": "fopt"}])
def test_results_are_paged_by_their_size(sweep, query):
    path = f"api/v1/jobs/{sweep.public_id}/results"

    listed = list(walk(path, **query))

    assert {row["taskId"] for rows in listed for row in rows} == {
        str(task.pk) for task in tasks_of(sweep)
    }
    assert max(len(rows) for rows in listed) <= MOST // EACH


def test_all_results_are_streamed_where_they_are_large(sweep):
    answer = Client().get(f"/api/v1/jobs/{sweep.public_id}/results")

    assert answer.streaming
    assert b"".join(answer.streaming_content).count(b'"taskId"') == ROWS


def test_a_task_shows_its_latest_attempts():
    task = make_held_task()
    Attempt.objects.bulk_create(
        Attempt(task=task, epoch=n, agent_id="a", outcome="lost", reason=LARGE)
        for n in range(1, ROWS + 1)
    )

    shown = Client().get(f"/v1/tasks/{task.pk}").json()["task"]["bad_attempts"]

    assert [attempt["lease_epoch"] for attempt in shown] == [10, 11, 12]


@pytest.mark.parametrize(
    "path", ["v1/tasks", "v1/chains", "v1/channels", "v1/events", "v1/agents", "v1/dead-letters"]
)
def test_the_snapshot_has_fewer_of_what_is_large(path):
    make_rows(path)

    assert LARGE[:100] in (picture := dumps(snapshot.picture()).decode()) or path == "v1/tasks"
    assert len(picture) < 4 * MOST


@pytest.mark.parametrize("path", ["console/overview", "console/jobs"])
def test_the_pages_of_people_read_nothing_large(path):
    for kind in ("v1/agents", "api/v1/jobs"):
        make_rows(kind)
    Notification.objects.create(agent_id="a1", type="setup_waiting", message="hello")

    with CaptureQueriesContext(connection) as sent:
        answer = Client().get(f"/{path}")

    assert answer.status_code == 200
    assert LARGE not in answer.content.decode()
    for name in ("specification", "meta", "offers"):
        assert all(f'"{name}",' not in query["sql"] for query in sent)
