"""Unknown paths, methods that a path does not support, and the list of SPOTs."""

from datetime import timedelta

import pytest

from agents.models import Agent
from spots.views import SpotListViewSet
from tests.factories import make_agent, silence
from tests.spots.calls import UNKNOWN, data, make_sweep, refusal

pytestmark = pytest.mark.django_db

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
READ = {"GET", "HEAD"}
ANSWERS = {
    "/internal/v1/hello": {"POST"},
    "/internal/v1/heartbeat": {"POST"},
    "/internal/v1/tasks/claim": {"POST"},
    f"/internal/v1/tasks/{UNKNOWN}/complete": {"POST"},
    f"/internal/v1/tasks/{UNKNOWN}/fail/": {"POST"},
    "/api/v1/spots": READ,
    "/api/v1/jobs": READ | {"POST"},
    "/api/v1/jobs/x": READ | {"DELETE"},
    "/api/v1/jobs/x/cancel": {"POST", "PUT"},
    "/api/v1/jobs/x/kill": {"POST"},
    "/api/v1/jobs/x/retry": {"POST"},
    "/api/v1/jobs/x/results": READ,
}


@pytest.mark.parametrize("path", ANSWERS)
def test_the_answer_to_a_wrong_method_lists_the_right_ones(spots, path):
    for method in sorted(METHODS - ANSWERS[path]):
        response = spots.send(method, path, {})

        assert response.status_code == 405, method
        allowed = {one.strip() for one in response["Allow"].split(",")}
        assert allowed == ANSWERS[path], method
        if method != "HEAD":
            assert refusal(response)[0] == 405


@pytest.mark.parametrize("method", sorted(METHODS - {"HEAD"}))
@pytest.mark.parametrize(
    "path",
    [
        "/internal",
        "/internal/",
        "/internal/v1",
        "/internal/v1/tasks",
        "/internal/v1/tasks//fail",
        "/internal/v1/tasks/x/y",
        "/internal/v2/hello",
        "/Internal/v1/hello",
        "/api/v1",
        "/api/v1/spots/spot-1",
        "/api/v1/nothing",
        "/api/v1/healthy",
    ],
)
def test_an_unknown_path_is_not_found(spots, method, path):
    response = spots.send(method, path, {})

    if path.startswith("/Internal"):
        assert response.status_code == 404
    else:
        assert refusal(response) == (404, "not found")


def test_an_id_that_cannot_be_stored_is_refused(spots):
    response = spots.post("/tasks/%00/complete", spotId="spot-1")

    assert refusal(response) == (400, "task_id must not contain NUL")


def names(body):
    return [spot["id"] for spot in body["spots"]]


def test_spots_are_listed_the_last_seen_first(spots):
    for name, seconds in (("spot-1", 5), ("spot-2", 60), ("spot-3", 2)):
        data(spots.beat(name))
        silence(Agent.objects.get(pk=name), timedelta(seconds=seconds))
    make_agent("agent-1")

    body = data(spots.get("/api/v1/spots"))

    assert names(body) == ["spot-3", "spot-1", "spot-2"]
    assert [spot["status"] for spot in body["spots"]] == ["UP", "UP", "DOWN"]
    assert body.keys() == {"spots"}


def test_an_empty_list_is_a_list(spots):
    assert data(spots.get("/api/v1/spots")) == {"spots": []}


def test_held_tasks_are_counted_beside_what_the_spot_reports(spots):
    make_sweep(3)
    data(spots.beat(runningTasks=7))
    spots.claim("spot-1", 2)
    spots.claim("spot-2", 1)

    assert (spots.listed("spot-1")["tasks"], spots.listed("spot-1")["runningTasks"]) == (2, 7)
    assert (spots.listed("spot-2")["tasks"], spots.listed("spot-2")["runningTasks"]) == (1, 0)


def test_all_spots_are_listed_with_as_many_queries_as_one(spots, django_assert_num_queries):
    for number in range(3):
        data(spots.beat(f"spot-{number}"))

    with django_assert_num_queries(4):
        assert len(data(spots.get("/api/v1/spots"))["spots"]) == 3


def test_more_spots_than_a_page_are_listed_at_once(spots):
    Agent.objects.bulk_create(Agent(pk=f"spot-{n}", protocol="spot") for n in range(501))

    assert len(data(spots.get("/api/v1/spots"))["spots"]) == 501


def test_very_many_spots_are_listed_page_by_page(spots, monkeypatch):
    monkeypatch.setattr(SpotListViewSet, "usual", 3)
    Agent.objects.bulk_create(Agent(pk=f"spot-{n}", protocol="spot") for n in range(5))

    first = data(spots.get("/api/v1/spots"))
    second = data(spots.get(f"/api/v1/spots?cursor={first['next_cursor']}"))

    assert sorted(names(first) + names(second)) == [f"spot-{n}" for n in range(5)]
    assert "next_cursor" not in second


def test_pages_have_every_spot_once(spots):
    Agent.objects.bulk_create(Agent(pk=f"spot-{n}", protocol="spot") for n in range(7))
    seen, query = [], "limit=3"
    while query:
        body = data(spots.get(f"/api/v1/spots?{query}"))
        seen += names(body)
        query = f"limit=3&cursor={body['next_cursor']}" if "next_cursor" in body else ""

    assert sorted(seen) == [f"spot-{n}" for n in range(7)]


def test_an_invalid_page_is_refused(spots):
    assert refusal(spots.get("/api/v1/spots?cursor=x"))[0] == 400
    assert refusal(spots.get("/api/v1/spots?limit=x"))[0] == 400
