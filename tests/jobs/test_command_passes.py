"""The loop ends commands whose time is over, and those for which no runner can be found."""

from datetime import timedelta

import pytest
from django.db.models import F

from agents.models import Agent
from jobs import command_transitions
from tasks import leases
from tasks.models import Task
from tests.jobs.command_calls import Commands, Runner

pytestmark = pytest.mark.django_db


@pytest.fixture
def commands():
    return Commands()


def age(made, **columns):
    Task.objects.filter(pk=made["task_id"]).update(
        **{name: F(name) - timedelta(seconds=seconds) for name, seconds in columns.items()}
    )


def test_a_command_is_ended_when_its_time_and_the_grace_are_over(commands):
    early, late = commands.make(timeout_seconds=5), commands.make(timeout_seconds=5)
    runner = Runner()
    runner.claim()
    task = runner.claim()
    age(early, claimed_at=90)
    age(late, claimed_at=96)

    assert command_transitions.end_overdue() == 1

    assert commands.status(early["job_id"]) == "running"
    ended = commands.get(late["job_id"])
    assert (ended["status"], ended["exit_code"]) == ("timeout", None)
    assert ended["last_error"] == "timed out; its runner did not end it"
    assert ended["completed_at"]
    assert runner.exit(task).status_code == 409
    assert commands.send("POST", f"/{late['job_id']}/retry").status_code == 201


def test_why_says_that_it_took_too_long_or_that_nobody_came(commands):
    late, unserved = commands.make(timeout_seconds=5), commands.make(runner_image="debian:12")
    Runner(executor=["process"]).claim()
    age(late, claimed_at=96)
    age(unserved, queue_at=3700, available_at=3700)
    assert command_transitions.end_overdue() == command_transitions.give_up_unserved() == 1

    texts = [
        commands.client.get(f"/v1/tasks/{made['task_id']}/why").json()["why"][0]["text"]
        for made in (late, unserved)
    ]

    assert [text.partition(": ")[2].partition(".")[0] for text in texts] == [
        "it took longer than it may",
        "no agent came that offers what it requires",
    ]


def test_one_that_was_asked_to_stop_is_cancelled_then(commands):
    made = commands.make(timeout_seconds=5)
    Runner().claim()
    commands.send("PUT", f"/{made['job_id']}/cancel")
    age(made, claimed_at=96)

    assert command_transitions.end_overdue() == 1
    assert commands.status(made["job_id"]) == "cancelled"


def test_labels_that_a_command_requires_have_to_be_offered(commands):
    commands.make(requires={"os": "linux", "zone": "a"})

    assert Runner("none").claim() is None
    assert Runner("some", os=["linux"]).claim() is None
    assert Runner("others", os=["linux"], zone=["b"]).claim() is None
    assert Runner("all", os=["linux"], zone=["a", "b"]).claim() is not None


def test_a_command_with_an_image_waits_for_containers_and_says_so(commands):
    made = commands.make(runner_image="debian:12")
    runner = Runner(executor=["process"])
    Agent.objects.update(subscriptions=["reactorcide-jobs"])

    assert runner.claim() is None
    reasons = runner.client.get(f"/v1/tasks/{made['task_id']}/why").json()["why"]
    assert reasons[0]["code"] == "nobody_offers"
    assert reasons[0]["text"] == "Its image needs a runner with containers, and none is online."
    assert reasons[0]["remedy"] == "Start a runner where docker, podman or nerdctl is."
    labelled = commands.make(runner_image="debian:12", requires={"zone": "a"})
    [reason, *_] = runner.client.get(f"/v1/tasks/{labelled['task_id']}/why").json()["why"]
    assert "none that offers zone=a is online" in reason["text"]
    assert runner.client.get(f"/v1/tasks/{made['task_id']}").json()["task"]["unserved"] is True
    assert Runner("docker", executor=["process", "container"]).claim() is not None


def test_it_fails_where_no_containers_came_for_long(commands):
    image, plain = commands.make(runner_image="debian:12"), commands.make(requires={"zone": "a"})
    Runner(executor=["process"])
    for made in (image, plain):
        age(made, queue_at=3500, available_at=3500)
    assert command_transitions.give_up_unserved() == 0
    for made in (image, plain):
        age(made, queue_at=200, available_at=200)

    assert command_transitions.give_up_unserved() == 1

    ended = commands.get(image["job_id"])
    assert (ended["status"], ended["exit_code"]) == ("failed", None)
    assert ended["last_error"] == "No runner offers containers, which its image needs."
    assert ended["completed_at"]
    assert commands.status(plain["job_id"]) == "queued"


def test_it_waits_on_while_a_runner_with_containers_was_seen(commands):
    made = commands.make(runner_image="debian:12")
    Runner(executor=["container"])
    Agent.objects.update(last_seen_at=F("last_seen_at") - timedelta(minutes=30))
    age(made, queue_at=4000, available_at=4000)

    assert command_transitions.give_up_unserved() == 0


def test_a_lost_runner_costs_a_command_an_attempt(commands):
    once, twice = commands.make(), commands.make(max_attempts=2)
    runner = Runner()
    tasks = [runner.claim(lease_seconds=None), runner.claim(lease_seconds=None)]
    runner.beat(tasks=[task["id"] for task in tasks])
    Agent.objects.update(last_seen_at=F("last_seen_at") - timedelta(hours=1))

    leases.release_lost()

    ended = commands.get(once["job_id"])
    assert (ended["status"], ended["last_error"]) == ("failed", "worker lost")
    assert commands.status(twice["job_id"]) == "queued"


def test_queues_say_how_many_runners_would_be_busy(commands):
    for _ in range(3):
        commands.make(queue_name="a")
    commands.make(queue_name="b")
    runner = Runner()
    Agent.objects.update(subscriptions=["A", "b"])
    runner.claim("a")
    channel = {one["name"]: one for one in queues(commands)}["b"]["channel_id"]
    path = f"/v1/channels/{channel}/pause"
    assert commands.client.post(path, {}, content_type="application/json").status_code == 200

    found = {one["name"]: one for one in queues(commands)}
    counts = ("waiting", "running", "runners", "desired", "more")
    assert [[found[name][count] for count in counts] for name in "ab"] == [
        [2, 1, 1, 3, False],
        [1, 0, 1, 0, False],
    ]
    assert found["b"]["paused_at"]


def queues(commands):
    answer = commands.client.get("/api/v1/queues")
    assert answer.status_code == 200, answer.content
    return answer.json()["queues"]


def test_a_requeue_gives_it_the_whole_wait_again(commands):
    made = commands.make(runner_image="debian:12")
    age(made, queue_at=4000, available_at=4000)
    assert command_transitions.give_up_unserved() == 1

    path = f"/v1/tasks/{made['task_id']}/requeue"
    assert commands.client.post(path, {}, content_type="application/json").status_code == 200

    assert command_transitions.give_up_unserved() == 0


def test_an_exit_code_is_that_of_the_last_lease(commands):
    made = commands.make(timeout_seconds=5)
    runner = Runner()
    runner.exit(runner.claim(), "failed", exit_code=7, commit_sha="abc")
    path = f"/v1/tasks/{made['task_id']}/requeue"
    commands.client.post(path, {}, content_type="application/json")
    runner.claim()
    assert commands.get(made["job_id"])["exit_code"] is None
    age(made, claimed_at=96)

    command_transitions.end_overdue()

    ended = commands.get(made["job_id"])
    assert (ended["status"], ended["exit_code"], ended["commit_sha"]) == ("timeout", None, "")
