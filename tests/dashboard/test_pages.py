import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api.fields import NOBODY
from chains import transitions as chains
from dashboard import counters, overview
from tasks import batches
from tasks import transitions as tasks
from tasks.models import Task
from tests.factories import (
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_job_tasks,
    make_task,
    make_tasks,
    steps_of,
    sweeps,
    take,
    tasks_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_caches():
    for kept in (counters.counters, counters.channels, overview.overview):
        kept.forget()


def get(path, **query):
    answer = Client().get(path, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def titles(found):
    return [row["title"] for row in found["tasks"]]


def test_the_page_is_served_at_the_root():
    answer = Client().get("/")

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/html")
    assert "csrftoken" in answer.cookies


def test_the_overview_has_counters_channels_agents_jobs_events_and_the_caller():
    channel = make_channel("builds")
    agent = make_agent("agent-1")
    held = make_held_task(agent, channel=channel)
    make_tasks(2, channel=channel)
    make_chain(channel, tasks=2)
    job = make_job(tasks=3)

    seen = get("/console/overview")

    assert seen["counters"]["tasks"]["in_progress"] == 1
    assert seen["counters"]["tasks"]["queued"] == 7
    assert seen["counters"]["agents_online"] == 1
    assert seen["counters"]["oldest_waiting_at"]
    builds = next(row for row in seen["channels"] if row["name"] == "builds")
    assert builds["counts"] == {"ready": 3, "in_progress": 1, "locked": 0, "chains": 1}
    [row] = seen["agents"]
    assert row["presence"] == "online"
    assert [task["id"] for task in row["tasks"]] == [str(held.pk)]
    [found] = seen["jobs"]
    assert found["id"] == job.public_id
    assert found["waiting"] == 3
    assert [int(event["id"]) for event in seen["events"]] == sorted(
        (int(event["id"]) for event in seen["events"]), reverse=True
    )
    assert seen["me"] == {
        "name": "local",
        "kind": "local",
        "signed_in": False,
        "operate": True,
        "administer": True,
    }


def test_the_board_lists_open_chains_first_with_their_progress():
    channel = make_channel()
    ended, old = make_chain(channel, tasks=1), make_chain(channel, tasks=1)
    agent = make_agent()
    finish(give(agent, channel), agent)
    young = make_chain(channel, tasks=3)

    seen = get("/console/board", channel=channel.pk)

    assert [row["id"] for row in seen["chains"]] == [str(old.pk), str(young.pk), str(ended.pk)]
    assert seen["chains"][1]["counts"] == {"queued": 3}
    assert seen["chains"][2]["counts"] == {"done": 1}
    assert "next" not in seen


def finish(task, agent):
    """The agent completes the task."""
    report = {"task_id": str(task.pk), "agent_id": agent.pk}
    answer = Client().post("/v1/tasks/complete", report, content_type="application/json")
    assert answer.status_code == 200, answer.content


def test_chains_are_paged_open_ones_first():
    channel = make_channel()
    made = [make_chain(channel, tasks=1) for _ in range(5)]
    agent = make_agent()
    finish(take(agent, channel)[0], agent)

    seen, after = [], ""
    while after is not None:
        page = get("/console/board", channel=channel.pk, limit=2, after=after)
        assert ("columns" in page) == (not after)
        seen += [row["id"] for row in page["chains"]]
        after = page.get("next")

    assert seen == [str(chain.pk) for chain in [*made[1:], made[0]]]


def test_the_columns_have_the_tasks_without_a_chain_in_claim_order():
    channel = make_channel()
    agent = make_agent()
    finish(make_held_task(agent, channel=channel, title="over"), agent)
    make_held_task(agent, channel=channel, title="now")
    make_task(channel, title="later")
    make_task(channel, title="urgent", priority=5)
    make_chain(channel, tasks=1)
    make_task(title="elsewhere")

    columns = get("/console/board", channel=channel.pk)["columns"]

    assert titles(columns["queued"]) == ["urgent", "later"]
    assert titles(columns["in_progress"]) == ["now"]
    assert titles(columns["done"]) == ["over"]
    assert columns["queued"]["count"] == 2
    assert columns["queued"]["more"] is False


def test_tasks_with_and_without_requirements_are_in_one_queue():
    job = make_job()
    make_job_tasks(job, 2, wants={"os": "linux"})
    make_job_tasks(job, 1)
    ids = [str(task.pk) for task in tasks_of(job)]

    page = get("/console/tasks", channel=sweeps().pk, column="queued", limit=2)
    rest = get("/console/tasks", channel=sweeps().pk, column="queued", after=page["next"])

    assert [row["id"] for row in [*page["tasks"], *rest["tasks"]]] == ids


@pytest.mark.parametrize("column", ["queued", "in_progress", "done"])
def test_a_column_is_paged_and_has_each_task_once(column):
    channel = make_channel()
    ids = {str(task.pk) for task in make_tasks(7, channel=channel)}
    agent = make_agent()
    if column != "queued":
        held = take(agent, channel, max_tasks=7)
    if column == "done":
        batches.cancel_all(Task.objects.filter(channel=channel), by="tests")
        Task.objects.filter(channel=channel).update(
            status="done", agent=None, lease_expires_at=None, finished_at=held[0].claimed_at
        )

    seen, after = [], ""
    while after is not None:
        page = get("/console/tasks", channel=channel.pk, column=column, limit=3, after=after)
        seen += [row["id"] for row in page["tasks"]]
        after = page.get("next")

    assert len(seen) == 7
    assert set(seen) == ids


@pytest.mark.parametrize("after", ["x", "open:1", "1|2|3", "a|b", "0|2026-01-01|x"])
@pytest.mark.parametrize("column", ["queued", "in_progress", "done", ""])
def test_an_invalid_cursor_is_refused(after, column):
    path = "/console/tasks" if column else "/console/board"
    asked = {"channel": make_channel().pk, "column": column, "after": after}

    answer = Client().get(path, asked)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"


def test_a_chain_and_its_tasks_are_read_in_order():
    chain = make_chain(tasks=5)
    agent = make_agent()
    give(agent, chain.channel)
    chains.detach(chain.pk, owner_id=agent.pk, by="tests")
    ids = [str(task.pk) for task in steps_of(chain)]

    row = get(f"/console/chains/{chain.pk}")["chain"]
    page = get(f"/console/chains/{chain.pk}/tasks", limit=3)
    rest = get(f"/console/chains/{chain.pk}/tasks", after=page["next"])

    assert row["status"] == "locked"
    assert row["locked"] == ids[:1]
    assert row["total"] == 5
    assert [task["id"] for task in [*page["tasks"], *rest["tasks"]]] == ids
    assert "next" not in rest


def test_tasks_are_read_by_their_ids_also_deleted_ones():
    task = make_task()
    gone = "0" * 32

    found = get("/console/tasks", ids=f"{task.pk},{gone}")["tasks"]

    assert [row["id"] for row in found[:1]] == [str(task.pk)]
    assert found[1]["deleted"] is True


def test_jobs_are_paged_newest_first():
    made = [make_job(tasks=1).public_id for _ in range(3)]

    assert [row["id"] for row in get("/console/jobs")["jobs"]] == made[::-1]
    after = get("/console/jobs", after=made[1])["jobs"]
    assert [row["id"] for row in after] == made[:1]


def test_a_plot_shows_each_result_and_the_best_so_far():
    job = make_job(tasks=3)
    agent = make_agent()
    for task, value in zip(tasks_of(job), [3.0, 1.0, 2.0], strict=True):
        give(agent, task.channel)
        report = {"task_id": str(task.pk), "agent_id": agent.pk, "result": {"fopt": value}}
        Client().post("/v1/tasks/complete", report, content_type="application/json")

    seen = get(f"/console/jobs/{job.public_id}/plot")

    assert [point["value"] for point in seen["points"]] == [3.0, 1.0, 2.0]
    assert [point["best"] for point in seen["points"]] == [3.0, 1.0, 1.0]
    assert seen["job"]["completed"] == 3


@pytest.mark.parametrize(
    "path",
    [
        "/console/board?channel=x",
        f"/console/chains/{NOBODY}",
        f"/console/chains/{NOBODY}/tasks",
        f"/console/tasks/{NOBODY}/surroundings",
        "/console/jobs/x/plot",
        "/console/tasks?column=queued",
    ],
)
def test_an_unknown_object_is_not_found(path):
    assert Client().get(path).status_code == 404


def test_the_overview_is_cached_for_a_second():
    make_task()
    get("/console/overview")

    with CaptureQueriesContext(connection) as asked:
        get("/console/overview")

    assert len(asked) == 0


def test_a_paused_channel_has_its_reason():
    channel = make_channel()
    tasks.pause_channel(channel.pk, by="operator", reason="maintenance")

    row = get("/console/board", channel=channel.pk)["channel"]

    assert row["pause_reason"] == "maintenance"
    assert row["paused_at"]
