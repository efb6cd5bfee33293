"""`/console/tables/tasks`: filters, orders, pages, and the ids of all that match."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.tables import matching
from tasks import transitions
from tasks.models import Task
from tests.factories import (
    fail_at_once,
    make_agent,
    make_chain,
    make_channel,
    make_job,
    make_task,
    make_tasks,
    take,
)

pytestmark = pytest.mark.django_db

PATH = "/console/tables/tasks"


def get(path=PATH, **query):
    answer = Client().get(path, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def titles(**query):
    return [row["title"] for row in get(**query)["tasks"]]


def all_pages(**query):
    found, body = [], get(**query)
    while True:
        found += [row["title"] for row in body["tasks"]]
        if "next_cursor" not in body:
            return found
        body = get(cursor=body["next_cursor"], **query)


def ids(**query):
    return get(f"{PATH}/ids", **query)


def test_rows_have_no_payload_and_no_result():
    make_task(title="a", payload={"x": 1}, description="long")

    [row] = get()["tasks"]

    assert row["title"] == "a"
    assert {"payload", "result", "description", "fail_reason"}.isdisjoint(row)


def test_each_filter_leaves_what_it_says():
    channel, other = make_channel(), make_channel()
    make_tasks(2, channel=other)
    chain = make_chain(channel)
    make_task(chain=chain, title="of the chain")
    job = make_job(tasks=1)
    agent = make_agent()
    make_task(channel=channel, title="claimed", priority=9)
    [claimed] = take(agent, channel)
    make_task(channel=channel, title="Crème 100%_\\")

    assert titles(channel_id=other.pk, status="queued") == titles(channel_id=other.pk)
    assert titles(chain_id=chain.pk) == ["of the chain"]
    assert len(titles(job_id=job.public_id)) == 1
    assert titles(agent_id=agent.pk) == [claimed.title] == ["claimed"]
    assert titles(status="in_progress") == ["claimed"]
    assert titles(text="crème 100%_\\") == ["Crème 100%_\\"]
    assert titles(text="1000") == titles(text="nothing like it") == titles(status="x") == []
    assert titles(created_before=timezone.now() - timedelta(hours=2)) == []


def test_an_id_is_found_by_its_beginning_and_text_that_looks_like_one_as_text():
    task, other = make_task(title="it"), make_task(title="a facade")

    assert titles(text=str(task.pk)) == ["it"]
    assert titles(text=str(task.pk)[:30]) == ["it"]
    assert titles(text=task.pk.hex.upper()) == ["it"]
    assert titles(text="facade") == [other.title]


def test_orders_that_an_index_has():
    channel = make_channel()
    for title in "abc":
        make_task(channel=channel, title=title, priority=ord(title))
    done = [transitions.cancel(task.pk, by="t") for task in Task.objects.filter(title__in="bc")]
    now = timezone.now()
    for task, ago in zip(done, (5, 9), strict=True):
        Task.objects.filter(pk=task.pk).update(finished_at=now - timedelta(seconds=ago))

    assert titles() == titles(sort="newest") == ["c", "b", "a"]
    assert titles(sort="oldest") == ["a", "b", "c"]
    assert titles(sort="ended") == ["b", "c"]
    assert titles(sort="ended", status="queued") == []
    assert titles(sort="ended", created_after=now - timedelta(hours=1)) == ["b", "c"]


def test_the_queue_of_a_channel_is_in_the_order_of_claims():
    channel = make_channel()
    for priority in (1, 3, 2):
        make_task(channel=channel, title=str(priority), priority=priority)

    assert titles(sort="queue", channel_id=channel.pk) == ["3", "2", "1"]
    assert all_pages(sort="queue", channel_id=channel.pk, limit=1) == ["3", "2", "1"]
    assert len(ids(sort="queue", channel_id=channel.pk, status="queued")["ids"]) == 3


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "x"},
        {"sort": "queue"},
        {"sort": "queue", "channel_id": "x"},
        {"sort": "queue", "channel_id": str(Task().pk), "status": "done"},
        {"sort": "queue", "channel_id": str(Task().pk), "text": "a"},
        {"cursor": "x"},
        {"sort": "ended", "cursor": "x"},
        {"created_after": "x"},
        {"limit": "x"},
    ],
    ids=range(9),
)
@pytest.mark.parametrize("path", [PATH, f"{PATH}/ids"])
def test_what_makes_no_sense_is_refused(path, query):
    status = Client().get(path, query).status_code

    assert status == 400 or (path.endswith("ids") and {"cursor", "limit"} & query.keys())


@pytest.mark.parametrize("sort", ["newest", "oldest", "ended"])
def test_pages_in_a_row_are_the_list(sort):
    channel = make_channel()
    for number in range(7):
        make_task(channel=channel, title=f"{number}")
    fail_at_once(Task.objects.all())

    paged = all_pages(sort=sort, limit=2)

    assert paged == titles(sort=sort)
    assert len(set(paged)) == 7


@pytest.mark.parametrize("sort", ["newest", "ended"])
def test_all_that_match_are_named_up_to_a_limit_that_is_said(monkeypatch, sort):
    monkeypatch.setattr(matching, "MOST", 5)
    channel = make_channel()
    make_tasks(6, channel=channel, title="six")
    make_tasks(2, channel=channel, title="two")
    fail_at_once(Task.objects.all())

    two, six = ids(text="two", sort=sort), ids(text="six", sort=sort)

    assert (len(two["ids"]), two["more"]) == (2, False)
    assert (len(set(six["ids"])), six["more"]) == (5, True)


def test_exactly_as_many_as_the_limit_are_all(monkeypatch):
    monkeypatch.setattr(matching, "MOST", 5)
    make_tasks(5)

    assert ids()["more"] is False
    assert len(ids()["ids"]) == 5
