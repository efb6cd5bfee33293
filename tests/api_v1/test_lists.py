"""Lists of /v1: pages, filters, and the cost of a page."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import Agent
from chains.models import Chain
from events.models import Event
from tasks.models import Channel, Task
from tests.api_v1.calls import UNKNOWN, data, message, refusal

pytestmark = pytest.mark.django_db

SEEN = datetime(2026, 1, 31, 12, tzinfo=UTC)
LISTS = ["agents", "channels", "chains", "tasks", "events"]


@pytest.fixture
def channel(api):
    return api.channel()


def make_rows(kind, channel, numbers):
    """Rows of this kind, created without verbs since only their list is tested."""
    channel_id = channel["id"]
    rows = {
        "agents": lambda n: Agent(id=f"a{n:04}", last_seen_at=SEEN - timedelta(seconds=n)),
        "channels": lambda n: Channel(name=f"c{n}"),
        "chains": lambda n: Chain(channel_id=channel_id, name=f"c{n}"),
        "tasks": lambda n: Task(channel_id=channel_id, title=f"t{n}"),
        "events": lambda n: Event(type=f"e{n}", agent_id="a", source="agent"),
    }[kind]
    made = [rows(n) for n in numbers]
    type(made[0]).objects.bulk_create(made)
    return made


def walk(api, kind, **query):
    """The ids on every page, in the order given."""
    pages = []
    while True:
        body = data(api.get(f"/{kind}", **query))
        pages.append([row["id"] for row in body[kind]])
        if "next_cursor" not in body:
            return pages
        query["cursor"] = body["next_cursor"]


def ids(api, kind, **query):
    return [row["id"] for row in data(api.get(f"/{kind}", **query))[kind]]


@pytest.mark.parametrize("kind", LISTS)
def test_an_empty_list_is_a_list(api, kind):
    assert data(api.get(f"/{kind}")) == {kind: []}


@pytest.mark.parametrize("kind", LISTS)
def test_a_walk_sees_every_row_once(api, channel, kind):
    make_rows(kind, channel, range(25))
    everything = ids(api, kind)
    assert len(everything) == {"channels": 26}.get(kind, len(everything))

    pages = walk(api, kind, limit=4)

    assert [row for page in pages for row in page] == everything
    assert len(set(everything)) == len(everything) >= 25
    assert {len(page) for page in pages[:-1]} == {4}


@pytest.mark.parametrize("kind", ["chains", "channels", "tasks"])
def test_a_walk_sees_rows_that_are_added_behind_it(api, channel, kind):
    make_rows(kind, channel, range(10))
    first = data(api.get(f"/{kind}", limit=4))
    before = ids(api, kind)

    added = {str(row.pk) for row in make_rows(kind, channel, range(10, 15))}
    rest = [row for page in walk(api, kind, cursor=first["next_cursor"], limit=4) for row in page]

    seen = [row["id"] for row in first[kind]] + rest
    assert len(seen) == len(set(seen))
    assert set(seen) == set(before) | added


@pytest.mark.parametrize("kind", ["agents", "events"])
def test_a_walk_from_the_newest_passes_over_rows_that_are_added_before_it(api, channel, kind):
    make_rows(kind, channel, range(10))
    before = ids(api, kind)
    first = data(api.get(f"/{kind}", limit=4))

    if kind == "agents":
        api.beat("new")
    make_rows("events", channel, range(3))
    rest = [row for page in walk(api, kind, cursor=first["next_cursor"], limit=4) for row in page]

    assert [row["id"] for row in first[kind]] + rest == before


def test_rows_that_are_deleted_are_not_missed_by_the_walk(api, channel):
    made = make_rows("tasks", channel, range(10))
    first = data(api.get("/tasks", limit=4))
    Task.objects.filter(pk__in=[row.pk for row in made[:5]]).delete()

    rest = walk(api, "tasks", cursor=first["next_cursor"], limit=4)

    assert rest == [[str(row.pk) for row in made[5:9]], [str(made[9].pk)]]


@pytest.mark.parametrize("query", [{}, {"limit": 0}, {"limit": -1}, {"limit": 9999}, {"limit": ""}])
def test_a_page_has_at_most_500_rows(api, channel, query):
    make_rows("tasks", channel, range(501))

    pages = walk(api, "tasks", **query)

    assert [len(page) for page in pages] == [500, 1]


def test_the_last_page_has_no_cursor(api, channel):
    make_rows("tasks", channel, range(500))

    assert data(api.get("/tasks")).keys() == {"tasks"}
    assert data(api.get("/tasks", limit=500)).keys() == {"tasks"}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    "query", [{"limit": "many"}, {"limit": "1.5"}, {"cursor": "nonsense"}, {"cursor": "é"}]
)
def test_an_invalid_page_is_refused_by_name(api, kind, query):
    response = api.get(f"/{kind}", **query)

    assert refusal(response) == (400, "invalid_request")
    assert next(iter(query)) in message(response)


@pytest.mark.parametrize("kind", LISTS)
def test_a_page_of_any_size_costs_the_same_queries(api, channel, kind):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            data(api.get(f"/{kind}"))
        return len(captured)

    make_rows(kind, channel, range(1))
    one = queries()
    make_rows(kind, channel, range(1, 60))

    assert queries() == one <= 4


def test_a_page_of_busy_agents_costs_no_more(api, channel):
    for n in range(5):
        api.task(channel)
        api.claim(f"a{n}", channel)

    with CaptureQueriesContext(connection) as captured:
        agents = data(api.get("/agents"))["agents"]

    assert all(agent["current_task_id"] for agent in agents)
    assert len(captured) == 4


def test_tasks_are_filtered(api, channel):
    other = api.channel("other")
    chain = api.chain(channel)
    step = api.task(channel, chain_id=chain["id"], priority=9)
    alone, elsewhere = api.task(channel), api.task(other)
    api.claim("a", channel)

    assert ids(api, "tasks", status="in_progress") == [step["id"]]
    assert ids(api, "tasks", status="queued") == [alone["id"], elsewhere["id"]]
    assert ids(api, "tasks", channel_id=other["id"]) == [elsewhere["id"]]
    assert ids(api, "tasks", chain_id=chain["id"]) == [step["id"]]
    assert ids(api, "tasks", agent_id="a") == [step["id"]]
    assert ids(api, "tasks", channel_id=channel["id"], status="queued") == [alone["id"]]
    assert ids(api, "tasks", status="", chain_id="") == ids(api, "tasks")
    assert ids(api, "tasks", nonsense="x") == ids(api, "tasks")


def test_chains_are_filtered(api, channel):
    other = api.channel("other")
    mine, free, elsewhere = api.chain(channel), api.chain(channel), api.chain(other)
    api.task(channel, chain_id=mine["id"])
    api.claim("a", channel)

    assert ids(api, "chains") == [mine["id"], free["id"], elsewhere["id"]]
    assert ids(api, "chains", channel_id=channel["id"]) == [mine["id"], free["id"]]
    assert ids(api, "chains", status="in_progress") == [mine["id"]]
    assert ids(api, "chains", agent_id="a") == [mine["id"]]


def test_events_are_filtered(api, channel):
    first, second = api.task(channel), api.task(channel)
    api.post("/events", agent_id="a", type="x", task_id=first["id"])
    api.post("/events", agent_id="b", type="x", task_id=second["id"])

    assert {e["agent_id"] for e in data(api.get("/events", agent_id="a"))["events"]} == {"a"}
    about = data(api.get("/events", task_id=second["id"]))["events"]
    assert {event["task_id"] for event in about} == {second["id"]}
    assert "b" in {event["agent_id"] for event in about}
    assert len(data(api.get("/events", agent_id="a", task_id=first["id"]))["events"]) == 1


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("tasks", {"status": "banana"}),
        ("tasks", {"channel_id": UNKNOWN}),
        ("tasks", {"channel_id": "nonsense"}),
        ("tasks", {"chain_id": UNKNOWN}),
        ("tasks", {"chain_id": "nonsense"}),
        ("tasks", {"agent_id": "nobody"}),
        ("tasks", {"agent_id": "\0"}),
        ("tasks", {"status": "\ud800".encode("utf-8", "surrogatepass")}),
        ("chains", {"channel_id": UNKNOWN}),
        ("chains", {"channel_id": "nonsense"}),
        ("chains", {"status": "banana"}),
        ("chains", {"agent_id": "nobody"}),
        ("events", {"agent_id": "nobody"}),
        ("events", {"task_id": "nonsense"}),
        ("events", {"chain_id": "nonsense"}),
    ],
)
def test_an_unknown_filter_value_gives_an_empty_list(api, channel, kind, query):
    api.task(channel, chain_id=api.chain(channel)["id"])
    api.post("/events", agent_id="a", type="x")

    assert data(api.get(f"/{kind}", **query)) == {kind: []}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_is_cut_to_a_period(api, channel, kind):
    make_rows(kind, channel, range(2))
    now = datetime.fromisoformat(data(api.get(f"/{kind}"))[kind][0]["created_at"])
    before, after = (now - timedelta(hours=1)).isoformat(), (now + timedelta(hours=1)).isoformat()
    everything = ids(api, kind)

    assert ids(api, kind, created_after=before) == everything
    assert ids(api, kind, created_after=after) == []
    assert ids(api, kind, created_before=after) == everything
    assert ids(api, kind, created_before=before) == []
    assert ids(api, kind, created_after=before.replace("+00:00", "Z")) == everything


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    "time", ["yesterday", "2026-13-01T00:00:00Z", "1e9", "\0", "1" * 65, "2026-01-31T" + "1" * 4000]
)
def test_an_invalid_period_is_refused_by_name(api, kind, time):
    response = api.get(f"/{kind}", created_after=time)

    assert refusal(response) == (400, "invalid_request")
    assert "created_after" in message(response)


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_period_may_reach_the_ends_of_time(api, kind, time):
    assert kind in data(api.get(f"/{kind}", created_after=time))
    assert kind in data(api.get(f"/{kind}", created_before=time))
