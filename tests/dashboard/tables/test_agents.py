"""`/console/tables/agents` and `/console/tables/jobs`."""

import pytest
from django.test import Client

from jobs.models import Job, JobKind
from tasks.models import Task
from tests.factories import give, make_agent, make_channel, make_job, make_tasks

pytestmark = pytest.mark.django_db


def get(table, **query):
    answer = Client().get(f"/console/tables/{table}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def report(end, task, **more):
    body = {"task_id": str(task.pk), "agent_id": "one", **more}
    answer = Client().post(f"/v1/tasks/{end}", body, content_type="application/json")
    assert answer.status_code == 200, answer.content


def test_an_agent_shows_how_its_latest_tasks_ended():
    channel = make_channel()
    agent = make_agent("one", capacity=4, meta={"version": "2.4.1", "state": "x"})
    make_agent("two", meta={"version": 5})
    make_tasks(5, channel=channel)
    for ends in ("complete", "complete", "retried", "failed"):
        task = give(agent, channel)
        if ends == "complete":
            report("complete", task)
        else:
            report("fail", task, reason=f"it {ends}", retriable=ends == "retried")
    give(agent, channel)

    one, two = get("agents")["agents"]

    assert (one["succeeded"], one["failed"]) == (2, 2)
    assert one["last_failure"]["task_id"] == str(Task.objects.get(status="failed").pk)
    assert one["last_failure"]["error"] == "it failed"
    assert (one["held"], one["capacity"], one["version"]) == (1, 4, "2.4.1")
    assert (two["succeeded"], two["failed"]) == (0, 0)
    assert {"last_failure", "version"}.isdisjoint(two)


def test_agents_come_page_by_page():
    names = sorted(make_agent(f"agent ü {number}").pk for number in range(5))
    found, body = [], get("agents", limit=2)
    while True:
        found += [row["id"] for row in body["agents"]]
        if "next" not in body:
            break
        body = get("agents", limit=2, after=body["next"])

    assert found == names


def test_jobs_by_filter_and_in_both_orders():
    first, second = make_job(tasks=2), make_job(tasks=1)
    Job.objects.filter(pk=first.pk).update(name="Night sweep")
    command = Job.objects.create(kind=JobKind.SWEEP, name="empty")

    def ids(**query):
        return [row["id"] for row in get("jobs", **query)["jobs"]]

    every = [command.public_id, second.public_id, first.public_id]
    assert ids() == ids(sort="newest") == every
    assert ids(sort="oldest") == every[::-1]
    assert ids(name="SWEEP") == [first.public_id]
    assert ids(status="pending", kind="sweep") == every
    assert ids(kind="command") == ids(kind="x") == ids(status="x") == []
    [row] = get("jobs", name="sweep")["jobs"]
    assert (row["total"], row["waiting"], row["failed"]) == (2, 2, 0)


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("jobs", {"sort": "x"}),
        ("jobs", {"cursor": "x"}),
        ("agents", {"limit": "x"}),
    ],
    ids=range(3),
)
def test_what_makes_no_sense_is_refused(kind, query):
    assert Client().get(f"/console/tables/{kind}", query).status_code == 400


def test_pages_of_jobs_are_the_list():
    made = [make_job(tasks=1).public_id for _ in range(5)]
    found, body = [], get("jobs", limit=2, sort="oldest")
    while True:
        found += [row["id"] for row in body["jobs"]]
        if "next_cursor" not in body:
            break
        body = get("jobs", limit=2, sort="oldest", cursor=body["next_cursor"])

    assert found == made
