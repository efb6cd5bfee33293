"""What the page of an agent reads, and what is found by a few letters."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.models import Agent
from dashboard import things
from tasks.models import Task
from tests.factories import (
    give,
    make_agent,
    make_artifact,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    steps_of,
    tasks_of,
)
from tests.tasks.reporting import complete, fail

pytestmark = pytest.mark.django_db


def get(path, **query):
    answer = Client().get(path, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def find(text):
    return get("/console/find", text=text)


def work(agent_id):
    return get(f"/console/agents/{agent_id}/work")


def ids(rows):
    return [row["id"] for row in rows]


def test_a_task_says_what_it_belongs_to_and_what_it_has_left():
    chain = make_chain(tasks=2)
    job = make_job(tasks=1)
    [of_job] = tasks_of(job)
    make_artifact(of_job, "report.txt")

    in_chain = get(f"/console/tasks/{steps_of(chain)[0].pk}/surroundings")
    in_job = get(f"/console/tasks/{of_job.pk}/surroundings")
    alone = get(f"/console/tasks/{make_task().pk}/surroundings")

    assert (in_chain["chain"]["id"], in_chain["chain"]["total"]) == (str(chain.pk), 2)
    assert (in_job["job"]["id"], in_job["has_files"]) == (job.public_id, True)
    assert alone.pop("task")["status"] == "queued"
    assert alone == {"has_log": False, "has_files": False}


def test_an_agent_shows_what_it_holds_what_it_did_and_what_failed():
    agent = make_agent("builder", meta={"version": "2.4.1", "large": "x" * 5_000})
    done, failed, held = (make_held_task(agent) for _ in range(3))
    complete(done)
    fail(failed, reason="no space left\non the volume", retriable=False)

    shown = work("builder")

    assert shown["agent"]["held"] == 1
    assert ids(shown["agent"]["tasks"]) == [str(held.pk)]
    assert ids(shown["tasks"]) == [str(failed.pk), str(done.pk)]
    assert (shown["done"], shown["failed"], shown["version"]) == (1, 1, "2.4.1")
    assert shown["last_failure"]["task_id"] == str(failed.pk)
    assert shown["last_failure"]["reason"] == "no space left\non the volume"
    assert "xxx" not in str(shown)


def test_an_attempt_that_is_tried_again_counts_as_failed_for_the_agent_that_made_it():
    agent, other = make_agent("first"), make_agent("second")
    task = make_held_task(agent)
    fail(task, reason="flaky", retriable=True)
    complete(give(other, task.channel))

    assert (work("first")["done"], work("first")["failed"]) == (0, 1)
    assert (work("second")["done"], work("second")["failed"]) == (1, 0)


@pytest.mark.parametrize("task", ["nonsense", "", "00000000-0000-0000-0000-000000000001"])
@pytest.mark.parametrize("kind", ["task.completed", "task.failed", "task.retried"])
def test_what_an_agent_says_of_itself_is_not_what_it_did(kind, task):
    make_agent("boaster")
    said = {"agent_id": "boaster", "type": kind, "task_id": task, "payload": {"outcome": "failed"}}
    answer = Client().post("/v1/events", said, content_type="application/json")
    assert answer.status_code == 201, answer.content

    shown = work("boaster")

    assert (shown["done"], shown["failed"], shown["tasks"]) == (0, 0, [])
    assert "last_failure" not in shown
    [row] = get("/console/tables/agents")["agents"]
    assert (row["succeeded"], row["failed"]) == (0, 0)
    assert "last_failure" not in row


def test_a_new_agent_has_done_nothing_yet():
    make_agent("new one")

    shown = work("new%20one")

    assert (shown["done"], shown["failed"], shown["tasks"]) == (0, 0, [])
    assert "last_failure" not in shown
    assert "version" not in shown


@pytest.mark.parametrize("version", [{"a": 1}, None, ["1"]])
def test_a_version_that_is_no_text_is_left_out(version):
    make_agent("odd", meta={"version": version})

    assert "version" not in work("odd")


def test_of_an_agent_that_is_gone_nothing_is_shown():
    make_agent("leaves")
    Agent.objects.filter(pk="leaves").delete()

    answer = Client().get("/console/agents/leaves/work")

    assert answer.status_code == 404
    assert "leaves" in answer.json()["error"]["message"]


def test_an_agent_with_a_slash_in_its_id_has_an_address():
    make_agent("site/one #2")

    assert work("site%252Fone%20%232")["agent"]["id"] == "site/one #2"


def test_things_are_found_by_a_part_of_their_name():
    channel = make_channel("Release builds")
    task = make_task(channel=channel, title="Publish 100% of the Builds")
    chain = make_chain(channel, tasks=1)
    type(chain).objects.filter(pk=chain.pk).update(name="builds of 2.4")
    job = make_job(tasks=1)
    type(job).objects.filter(pk=job.pk).update(name="rebuilds")
    make_agent("builder-7")
    make_task(title="something else")

    found = find("  BUILD ")

    assert ids(found["tasks"]) == [str(task.pk)]
    assert ids(found["chains"]) == [str(chain.pk)]
    assert ids(found["jobs"]) == [job.public_id]
    assert ids(found["agents"]) == ["builder-7"]
    assert ids(found["channels"]) == [str(channel.pk)]
    assert ids(find("100%")["tasks"]) == [str(task.pk)]
    assert ids(find("1_0")["tasks"]) == []
    step = Task.objects.get(chain=chain)
    assert [row.get("chain") for row in find(str(step.pk))["tasks"]] == ["builds of 2.4"]


def test_things_are_found_by_the_beginning_of_their_id_and_by_its_end():
    task, chain, job = make_task(), make_chain(tasks=1), make_job(tasks=1)

    assert str(task.pk) in ids(find(str(task.pk)[:13])["tasks"])
    assert ids(find(str(task.pk))["tasks"]) == [str(task.pk)]
    assert ids(find(str(task.pk)[-8:])["tasks"]) == [str(task.pk)]
    assert ids(find(str(chain.pk))["chains"]) == [str(chain.pk)]
    assert ids(find(str(task.channel_id))["channels"]) == [str(task.channel_id)]
    assert ids(find(job.public_id)["jobs"]) == [job.public_id]
    assert ids(find(str(job.pk))["jobs"]) == [job.public_id]


def test_names_are_sought_among_the_latest_and_ids_in_all(monkeypatch):
    monkeypatch.setattr(things, "LOOKED_AT", 2)
    old, *_ = [make_task(title=f"needle {n}") for n in range(4)]

    found = find("needle")

    assert [row["title"] for row in found["tasks"]] == ["needle 3", "needle 2"]
    assert ids(find(str(old.pk))["tasks"]) == [str(old.pk)]


@pytest.mark.parametrize("text", ["", "   ", "%", "x" * 9_000, "job-"])
def test_letters_that_say_nothing_find_no_task(text):
    make_task(title="waits")

    assert find(text)["tasks"] == []


def test_few_of_each_kind_are_found_and_nothing_large_is_read():
    channel = make_channel()
    Task.objects.bulk_create(
        Task(channel=channel, title=f"needle {'x' * 5_000}", payload={"x": "y"}) for _ in range(20)
    )

    with CaptureQueriesContext(connection) as sent:
        found = find("needle")

    assert len(found["tasks"]) == things.MOST_FOUND
    assert {len(row["title"]) for row in found["tasks"]} == {things.LONGEST_TITLE}
    assert not any("payload" in query["sql"] for query in sent)
