"""Commands are sent to the queue outside after they are made: none is lost, none waits for it."""

from datetime import timedelta
from uuid import UUID

import orjson
import pytest
from django.db.models import F
from django.utils import timezone

from jobs import command_transitions
from jobs.corndogs import outbox
from jobs.corndogs.client import Client
from jobs.models import OutsideQueue, Submission
from tasks import transitions as tasks
from tasks.models import Task
from tests.jobs.command_calls import Commands, Runner
from tests.jobs.corndogs.turns import all_are_due, turn

pytestmark = pytest.mark.django_db


def seconds_until_due():
    [due_at] = Submission.objects.values_list("due_at", flat=True)
    return (due_at - timezone.now()).total_seconds()


def why(commands, made):
    answer = commands.client.get(f"/v1/tasks/{made['task_id']}/why")
    assert answer.status_code == 200, answer.content
    return answer.json()["why"]


def said_of_corndogs(caplog):
    return [line.message for line in caplog.records if line.name == "coordinator.corndogs"]


def test_without_a_queue_outside_commands_are_queued_here():
    made = Commands().make()

    assert (made["status"], made["corndogs_task_id"]) == ("queued", None)
    assert not Submission.objects.exists()
    assert outbox.send() == 0


def test_a_command_waits_outside_and_no_runner_gets_it(outside, commands):
    made = commands.make(
        name="tests",
        description="All",
        source_type="git",
        git_url="https://example.org/a.git",
        git_ref="main",
        job_env_vars={"A": "b"},
        priority=7,
        timeout_seconds=60,
        queue_name="Builds",
    )
    assert (made["status"], made["corndogs_task_id"]) == ("submitted", None)
    assert outside.store.calls == []
    [reason] = [one for one in why(commands, made) if one["code"] == "queue_outside"]
    assert reason["text"] == "It is about to be sent to queue Builds outside."

    assert outbox.send() == 1

    [task] = outside.store.open()
    sent = commands.get(made["job_id"])
    assert (sent["status"], sent["corndogs_task_id"]) == ("submitted", task["uuid"])
    assert commands.listed(status="submitted").json()["total"] == 1
    assert Runner().claim("Builds") is None
    assert (task["queue"], task["priority"], task["timeout"]) == ("Builds", 7, 3600)
    assert (task["current_state"], task["auto_target_state"]) == ("submitted", "submitted-working")
    payload = orjson.loads(outside.store.payloads[task["uuid"]])
    assert payload == {
        "job_id": made["job_id"],
        "job_type": "run",
        "config": {
            "image": "",
            "command": "make",
            "working_dir": "/job/src",
            "timeout": 60,
            "code_dir": "/job/src",
            "job_dir": "/job/src",
            "environment": {"A": "b"},
            "env_file": "",
        },
        "source": {
            "type": "git",
            "url": "https://example.org/a.git",
            "ref": "main",
            "source_path": "",
        },
        "metadata": {
            "user_id": made["user_id"],
            "submitted_at": payload["metadata"]["submitted_at"],
            "name": "tests",
            "description": "All",
        },
    }
    [reason] = why(commands, made)
    assert reason["text"] == "It waits in queue Builds outside until a bridge takes it."
    assert outbox.send() == 0
    assert list(OutsideQueue.objects.values_list("name", flat=True)) == ["Builds"]


def test_no_secret_is_sent(outside, commands):
    commands.make(
        source_type="git",
        git_url="https://user:s3cr3t@example.org/a.git",
        job_env_vars={"TOKEN": "s3cr3t", "PLAIN": "shown"},
        job_env_secrets=["TOKEN"],
    )

    outbox.send()

    sent = b"".join(outside.store.raw)
    assert b"shown" in sent
    assert b"s3cr3t" not in sent


def test_a_server_that_is_away_delays_nothing_and_loses_nothing(outside, commands):
    outside.stop()
    made = [commands.make() for _ in range(3)]

    for _ in made:
        assert outbox.send() == 0

    [reason] = why(commands, made[0])
    assert "could not be sent to queue reactorcide-jobs outside yet: " in reason["text"]
    assert "Connection refused" in reason["last_error"]
    assert reason["remedy"] == "See that the Corndogs server and a bridge are running."
    assert commands.status(made[0]["job_id"]) == "submitted"
    outside.start()
    all_are_due()

    assert outbox.send() == 3

    assert len(outside.store.open()) == 3
    assert {one["state"] for one in Submission.objects.values()} == {"sent"}
    assert {one["last_error"] for one in Submission.objects.values()} == {""}


def test_the_pauses_double_up_to_a_minute(outside, commands):
    commands.make()
    outside.stop()
    pauses = []
    for _ in range(9):
        outbox.send()
        pauses.append(round(seconds_until_due()))
        assert outbox.send() == 0
        all_are_due()

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert Submission.objects.get().attempts == 9


def test_a_silent_server_is_asked_about_one_command_at_a_time(outside, commands, caplog):
    for _ in range(3):
        commands.make()
    outside.says = b""

    outbox.send()
    outbox.send()

    assert len(outside.store.raw) == 2
    assert sorted(Submission.objects.values_list("attempts", flat=True)) == [0, 1, 1]
    assert said_of_corndogs(caplog) == ["Corndogs does not answer."]
    outside.says = None
    all_are_due()
    outbox.send()
    assert not outbox.ear.silent


def test_a_command_that_is_refused_delays_no_other(outside, commands):
    commands.make(queue_name="full")
    commands.make()
    submit = outside.store.SubmitTask
    outside.store.SubmitTask = lambda request: {} if request["queue"] == "full" else submit(request)

    assert outbox.send() >= 1

    assert sorted(Submission.objects.values_list("state", flat=True)) == ["sent", "waiting"]
    assert Submission.objects.get(state="waiting").last_error


def test_what_a_bad_peer_says_is_kept_as_text(outside, commands):
    commands.make()
    if outside.scheme == "http":
        outside.says = b"\x00\x01\x02\r\n"
    else:
        outside.refuses["SubmitTask"] = (1, "a\0b")

    outbox.send()

    row = Submission.objects.get()
    assert row.attempts == 1
    assert row.last_error.isprintable()


def test_a_refusal_is_logged_once_and_kept(outside, commands, caplog):
    for _ in range(3):
        commands.make()
    outside.key = "the-key-of-the-queue"

    outbox.send()

    assert said_of_corndogs(caplog) == ["Corndogs refuses a call."]
    assert Submission.objects.filter(attempts=1, last_error__contains="no such key").count() == 3


def test_an_answer_that_is_lost_runs_nothing_twice(outside, commands):
    made = commands.make()
    outside.lost.add("SubmitTask")
    outbox.send()
    assert commands.get(made["job_id"])["corndogs_task_id"] is None
    outside.lost.clear()
    all_are_due()
    outbox.send()
    assert len(outside.store.open()) == 2

    turn(outside)

    assert len(outside.store.open()) == 1
    assert commands.get(made["job_id"])["corndogs_task_id"] == outside.store.open()[0]["uuid"]
    runner = Runner()
    runner.exit(runner.claim())
    turn(outside)
    assert runner.claim() is None
    assert outside.store.open() == []
    ends = sorted(task["current_state"] for task in outside.store.archived.values())
    assert ends == ["canceled", "completed"]


def test_what_was_taken_before_its_answer_was_lost_is_not_sent_again(outside, commands):
    made = commands.make()
    outside.lost.add("SubmitTask")
    outbox.send()
    outside.lost.clear()

    turn(outside)
    all_are_due()
    turn(outside)

    assert commands.status(made["job_id"]) == "queued"
    assert len(outside.store.named("SubmitTask")) == 1


class After:
    """A face that does something as soon as a call was answered."""

    def __init__(self, face, name, do):
        self.face, self.name, self.do = face, name, do

    def call(self, name, request):
        answer = self.face.call(name, request)
        if name == self.name:
            self.do()
        return answer

    def close(self):
        self.face.close()


def test_a_command_that_ends_while_it_is_sent_is_cancelled_outside(outside, commands, client):
    made = commands.make()

    def cancel():
        assert commands.send("PUT", f"/{made['job_id']}/cancel").status_code == 200

    watched = Client([After(client.faces[0], "SubmitTask", cancel)])
    outbox.work(watched, outbox.OF_THE_LOOP)

    assert outside.store.open() == []
    assert not Submission.objects.exists()
    assert commands.get(made["job_id"])["corndogs_task_id"] in outside.store.archived


def test_one_that_was_let_in_while_it_is_sent_again_is_cancelled_outside(outside, commands, client):
    commands.make()
    outside.lost.add("SubmitTask")
    outbox.send()
    outside.lost.clear()
    all_are_due()

    watched = Client([After(client.faces[0], "SubmitTask", lambda: turn(outside))])
    outbox.work(watched, outbox.OF_THE_LOOP)

    [task] = outside.store.open()
    assert Submission.objects.get().corndogs_task_id == UUID(task["uuid"])
    assert [one["current_state"] for one in outside.store.archived.values()] == ["canceled"]


def test_a_sender_that_was_killed_leaves_a_row_that_is_due_again(outside, commands):
    commands.make()
    outbox._picked(outbox.OF_THE_LOOP)

    assert outbox.send() == 0
    assert 50 < seconds_until_due() < 61
    all_are_due()
    assert outbox.send() == 1


def test_a_command_is_cancelled_at_once_in_each_state(outside, commands):
    never, sent, taken = (commands.make(queue_name=name) for name in ("never", "sent", "taken"))
    Submission.objects.filter(queue="never").update(due_at=F("due_at") + timedelta(hours=1))
    outbox.send()
    turn(outside, "taken")
    statuses = [commands.status(made["job_id"]) for made in (never, sent, taken)]
    assert statuses == ["submitted", "submitted", "queued"]

    for made in (never, sent, taken):
        answer = commands.send("PUT", f"/{made['job_id']}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    outbox.send()

    assert outside.store.open() == []
    assert len(outside.store.named("CancelTask")) == 2
    assert not Submission.objects.exists()


def test_a_running_command_that_is_cancelled_is_cancelled_outside_when_it_has_stopped(
    outside, commands
):
    made = commands.make()
    outbox.send()
    turn(outside)
    runner = Runner()
    task = runner.claim()

    commands.send("PUT", f"/{made['job_id']}/cancel")
    outbox.send()
    assert len(outside.store.open()) == 1
    runner.exit(task, "cancelled", exit_code=143)
    outbox.send()

    assert commands.status(made["job_id"]) == "cancelled"
    assert [one["current_state"] for one in outside.store.archived.values()] == ["canceled"]


def test_a_cancel_is_kept_until_the_server_hears_it(outside, commands):
    made = commands.make()
    outbox.send()
    outside.stop()

    commands.send("PUT", f"/{made['job_id']}/cancel")
    outbox.send()
    assert "Connection refused" in Submission.objects.get().last_error
    outside.start()
    all_are_due()
    outbox.send()

    assert outside.store.open() == []


def test_a_job_that_is_deleted_is_ended_outside_all_the_same(outside, commands):
    made = commands.make()
    outbox.send()
    commands.send("PUT", f"/{made['job_id']}/cancel")

    assert commands.send("DELETE", f"/{made['job_id']}").status_code == 204
    outbox.send()

    assert outside.store.open() == []
    assert not Submission.objects.exists()


def test_what_is_gone_outside_is_sent_again(outside, commands):
    made = commands.make()
    outbox.send()
    outside.store.tasks.clear()
    all_are_due()

    outbox.send()
    outbox.send()

    [task] = outside.store.open()
    assert commands.get(made["job_id"])["corndogs_task_id"] == task["uuid"]


def test_what_a_timeout_took_out_of_the_queue_outside_is_put_back(outside, commands):
    commands.make(priority=3)
    outbox.send()
    outside.store.pass_seconds(3700)
    outside.store.CleanUpTimedOut({"at_time": outside.store.now(), "queue": ""})
    assert outside.store.open()[0]["current_state"] == "submitted-working"
    all_are_due()

    outbox.send()

    [task] = outside.store.open()
    assert (task["current_state"], task["auto_target_state"]) == ("submitted", "submitted-working")
    assert (task["timeout"], task["priority"]) == (3600, 3)
    assert turn(outside) == 1


def prioritize(made, priority):
    tasks.prioritize(UUID(made["task_id"]), priority, by="tests")


def test_another_priority_is_said_outside_at_once(outside, commands):
    first, second = commands.make(), commands.make()
    outbox.send()

    prioritize(second, 5)
    assert outbox.send() == 1

    assert commands.get(second["job_id"])["priority"] == 5
    assert sorted(task["priority"] for task in outside.store.open()) == [0, 5]
    assert {task["current_state"] for task in outside.store.open()} == {"submitted"}
    assert outbox.send() == 0
    all_are_due()
    outbox.send()
    assert len(outside.store.named("UpdateTask")) == 1
    assert turn(outside) == 2
    assert [Runner().claim()["id"] for _ in range(2)] == [second["task_id"], first["task_id"]]


def test_another_priority_before_it_is_sent_is_sent_with_it(outside, commands):
    prioritize(commands.make(), -3)
    outbox.send()

    assert [task["priority"] for task in outside.store.open()] == [-3]
    assert outside.store.named("UpdateTask") == []


def test_another_priority_of_one_that_is_just_taken_runs_nothing_twice(outside, commands, client):
    made = commands.make()
    outbox.send()
    prioritize(made, 5)

    watched = Client([After(client.faces[0], "GetTaskStateByID", lambda: turn(outside))])
    outbox.work(watched, outbox.OF_THE_LOOP)
    assert commands.status(made["job_id"]) == "queued"
    turn(outside)

    assert Submission.objects.get().state == "taken"
    runner = Runner()
    runner.exit(runner.claim())
    turn(outside)
    assert runner.claim() is None
    assert outside.store.open() == []


def test_a_repeated_request_is_sent_once_and_a_retry_anew(outside, commands):
    made = commands.make(key="k")
    assert commands.submit(key="k").status_code == 200
    commands.send("PUT", f"/{made['job_id']}/cancel")
    again = commands.send("POST", f"/{made['job_id']}/retry")

    outbox.send()

    assert (again.status_code, again.json()["status"]) == (201, "submitted")
    [payload] = outside.store.payloads.values()
    assert again.json()["job_id"].encode() in payload


def test_a_command_that_is_not_made_is_not_sent(outside, commands):
    assert commands.submit(job_command="").status_code == 400

    assert not Submission.objects.exists()
    assert not OutsideQueue.objects.exists()


def test_without_the_setting_what_waited_outside_is_queued_here(outside, commands, settings):
    first, second = commands.make(), commands.make()
    outbox.send()
    outside.stop()
    settings.CORNDOGS = ()

    assert outbox.send() == 2

    assert not Submission.objects.exists()
    assert [commands.status(made["job_id"]) for made in (first, second)] == ["queued", "queued"]
    assert Runner().claim() is not None


def test_an_operator_may_assign_what_waits_outside(outside, commands):
    made = commands.make()
    outbox.send()

    tasks.assign(UUID(made["task_id"]), "runner-1", by="tests")
    assert commands.status(made["job_id"]) == "running"
    turn(outside)

    assert commands.status(made["job_id"]) == "running"
    assert not Task.objects.get().assign_only
    assert len(outside.store.open()) == 1


def test_one_that_waits_outside_for_long_is_not_given_up_for_want_of_containers(commands):
    made = commands.make(runner_image="debian:12")
    Task.objects.update(queue_at=F("queue_at") - timedelta(days=1))

    assert command_transitions.give_up_unserved() == 0
    assert commands.status(made["job_id"]) == "submitted"


def test_a_name_of_a_queue_is_that_of_its_channel(outside, commands):
    commands.make(queue_name="Builds")
    commands.make(queue_name="builds")

    outbox.send()

    assert {task["queue"] for task in outside.store.open()} == {"Builds"}
