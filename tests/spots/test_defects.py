"""The older system's defects with SPOTs (contract 004, 6), by their letters there."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Count, Q
from django.test.utils import CaptureQueriesContext

from agents.models import Agent
from spots import health
from tasks import leases
from tasks.models import Task
from tests.factories import let_lease_run_out, silence
from tests.racing import at_once
from tests.spots.calls import Spots, counted, data, make_sweep, refusal
from tests.tasks.plans import pages, rerun

pytestmark = pytest.mark.django_db


def row(task):
    return Task.objects.get(pk=task["id"])


def lose(spot_id="spot-1"):
    """Make the SPOT silent for too long."""
    silence(Agent.objects.get(pk=spot_id), timedelta(seconds=11))
    return leases.release_lost()


@pytest.mark.parametrize("epoch", [{}, {"leaseEpoch": 1}], ids=["without epoch", "with epoch"])
def test_b1_a_late_result_of_an_unclaimed_task_counts(spots, epoch):
    job = make_sweep()
    task = spots.claim_one()
    lose()

    assert data(spots.complete(task, fopt=0.5, **epoch)) == {"success": True}

    assert (row(task).status, row(task).result["fopt"]) == ("done", 0.5)
    assert counted(job) == ("COMPLETED", 1, 0)
    assert spots.claim() == []


@pytest.mark.parametrize("epoch", [{}, {"leaseEpoch": 1}], ids=["without epoch", "with epoch"])
def test_b1_the_late_result_of_a_task_that_another_has_is_refused(spots, epoch):
    job = make_sweep()
    task = spots.claim_one("spot-1")
    lose("spot-1")
    spots.claim_one("spot-2")

    for response in (spots.complete(task, **epoch), spots.fail(task, **epoch)):
        assert refusal(response) == (409, "task not assigned to this spot")
    assert row(task).agent_id == "spot-2"
    data(spots.complete(task, "spot-2"))
    assert refusal(spots.complete(task, **epoch)) == (409, "task not assigned to this spot")
    assert counted(job) == ("COMPLETED", 1, 0)


@pytest.mark.parametrize("reason", ["UNSUPPORTED", "MISSING_ARTIFACT"])
def test_b2_a_failure_reason_brings_nothing_back_to_life(spots, reason):
    job = make_sweep(3)
    done, held = spots.claim("spot-1", 2)
    data(spots.complete(done, fopt=1))
    queued = {"id": str(Task.objects.get(status="queued").pk)}

    for name in ("spot-1", "spot-2"):
        answer = data(spots.fail(done, name, failureReason=reason))
        assert answer == {"success": True, "message": "already terminal", "failureReason": reason}
    for task in (held, queued):
        assert refusal(spots.fail(task, "spot-2", failureReason=reason))[0] == 409

    assert [row(task).status for task in (done, held, queued)] == ["done", "in_progress", "queued"]
    assert row(done).result["fopt"] == 1
    assert counted(job) == ("RUNNING", 1, 0)


@pytest.mark.parametrize("reason", ["RUNTIME_ERROR", "TIMEOUT", "WHATEVER"])
def test_b3_a_final_failure_with_a_reason_is_counted(spots, reason):
    job = make_sweep(maxAttempts=2)

    answers = [
        data(spots.fail(spots.claim_one(), failureReason=reason, error="boom")) for _ in range(2)
    ]

    assert [one["willRetry"] for one in answers] == [True, False]
    kept = reason if reason != "WHATEVER" else "RUNTIME_ERROR"
    assert {one["failureReason"] for one in answers} == {kept}
    assert Task.objects.get().fail_reason == f"boom [{kept}]"
    assert counted(job) == ("FAILED", 0, 1)


@pytest.mark.django_db(transaction=True)
def test_b5_a_report_and_a_reaper_at_once_end_a_task_once(spots):
    job = make_sweep(40)
    tasks = [task for _ in range(4) for task in spots.claim()]
    Task.objects.update(max_attempts=1)
    for task in tasks:
        let_lease_run_out(row(task))

    def report(part):
        answers = [spots.complete(task) for task in tasks[part::2]]
        return [data(answer).get("message", "") for answer in answers]

    def reap():
        return sum(len(leases.expire_leases()) for _ in range(20))

    first, second, reaped = at_once(lambda: report(0), lambda: report(1), reap)

    assert first + second == [""] * 40, "a result counts, also after the lease has ended"
    assert reaped <= 40
    recount = Task.objects.aggregate(
        done=Count("pk", filter=Q(status="done")), failed=Count("pk", filter=Q(status="failed"))
    )
    assert recount == {"done": 40, "failed": 0}
    assert counted(job)[1:] == (40, 0)


@pytest.mark.django_db(transaction=True)
def test_b5_the_reaper_takes_nothing_from_a_spot_with_a_concurrent_heartbeat(spots):
    make_sweep(10)
    for number in range(10):
        spots.claim_one(f"spot-{number}")
    Agent.objects.update(last_seen_at=Agent.objects.first().last_seen_at - timedelta(minutes=1))

    def beat():
        for number in range(10):
            data(spots.beat(f"spot-{number}"))

    def reap():
        for _ in range(10):
            leases.release_lost()

    at_once(beat, reap)

    # Only SPOTs that had not sent anything yet were reaped; from now on none is.
    freed = Task.objects.filter(status="queued").count()
    assert len(leases.release_lost()) == 0
    assert Task.objects.in_progress().count() == 10 - freed
    assert {spot["status"] for spot in data(spots.get("/api/v1/spots"))["spots"]} == {"UP"}


def test_b6_a_task_that_kills_its_worker_ends_as_a_dead_letter(spots):
    job = make_sweep()

    for name in ("spot-1", "spot-2", "spot-3"):
        spots.claim_one(name)
        lose(name)

    task = Task.objects.get()
    assert (task.status, task.dead_letter, task.attempts) == ("failed", "agents_lost", 0)
    assert counted(job) == ("FAILED", 0, 1)
    assert spots.claim() == []


def test_b7_a_report_of_an_earlier_lease_is_not_taken_for_the_present_one(spots, caplog):
    make_sweep()
    earlier = spots.claim_one()
    lose()
    now = spots.claim_one()
    assert (earlier["leaseEpoch"], now["leaseEpoch"]) == (1, 2)

    for response in (
        spots.complete(earlier, leaseEpoch=1, fopt=1),
        spots.fail(earlier, leaseEpoch=1, retriable=False),
        spots.fail(earlier, leaseEpoch=1, failureReason="UNSUPPORTED"),
    ):
        assert refusal(response) == (409, "task not assigned to this spot")
    assert "but it's assigned to spot-1 by a later lease" in caplog.text
    assert row(now).status == "in_progress"
    assert data(spots.complete(now, leaseEpoch=2, fopt=2)) == {"success": True}
    assert row(now).result["fopt"] == 2


def test_b9_a_spot_gets_no_more_than_it_runs_at_once(spots):
    make_sweep(5)
    spot_id = spots.hello(spotInfo={"maxConcurrent": 2})

    first, second = spots.claim(spot_id, 10)
    assert spots.claim(spot_id, 10) == []
    data(spots.complete(first, spot_id))
    assert len(spots.claim(spot_id, 10)) == 1
    assert row(second).agent_id == spot_id


def multiply(number):
    """Add copies of the one task."""
    columns = [
        field.column
        for field in Task._meta.concrete_fields
        if field.column != "id" and not field.generated
    ]
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO tasks_task (id, {names}) SELECT gen_random_uuid(), {names}"  # noqa: S608
            " FROM tasks_task, generate_series(1, %s)",
            [number],
        )


def test_b11_health_costs_no_more_with_a_long_queue():
    make_sweep()
    multiply(4_999)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")

    with CaptureQueriesContext(connection) as asked:
        counts = health.look()

    assert counts["pendingTasks"] == 5_000
    plans = [rerun([(query["sql"], None)], "") for query in asked]
    assert sum(pages(plan) for plan in plans) < 100


def test_b13_json_that_is_none_is_the_clients_mistake_and_tells_nothing_else(spots):
    for path in ("hello", "heartbeat", "tasks/claim", "tasks/x/complete", "tasks/x/fail"):
        response = spots.send("post", f"/internal/v1/{path}", b'{"spotId": "a\nb"}')

        assert refusal(response) == (400, "invalid JSON")


def test_b14_errors_of_earlier_attempts_are_kept(spots):
    make_sweep()
    answers = [
        {"error": "OutOfMemoryError"},
        {"error": "killed", "failureReason": "TIMEOUT", "exitCode": 137},
        {"exitCode": 1, "outputSnippet": "x" * 600 + "last words", "retriable": False},
    ]
    for failure in answers:
        task = spots.claim_one()
        data(spots.fail(task, **failure))

    shown = data(spots.get(f"/v1/tasks/{task['id']}"))["task"]

    reasons = [attempt["reason"] for attempt in shown["bad_attempts"]]
    assert reasons[:2] == ["OutOfMemoryError", "killed [TIMEOUT, exit code 137]"]
    assert reasons[2] == "[exit code 1]\n" + "x" * 502 + "last words"
    assert shown["fail_reason"] == reasons[2]


def test_b18_with_a_token_strangers_see_nothing_but_health(spots, client, settings):
    settings.COORDINATOR_AUTH_TOKEN = "t"

    assert refusal(spots.get("/api/v1/spots"))[0] == 401
    assert spots.get("/api/v1/jobs").status_code == 401
    data(Spots(client, **{"x-api-key": "t"}).get("/api/v1/spots"))


def test_b19_a_worker_that_starts_again_is_the_same_spot(spots):
    make_sweep()
    spot_id = spots.hello(ipAddress="10.0.0.1")
    task = spots.claim_one(spot_id)

    assert spots.hello(spotId=spot_id, ipAddress="10.0.0.2") == spot_id

    [spot] = data(spots.get("/api/v1/spots"))["spots"]
    assert (spot["id"], spot["ipAddress"], spot["tasks"]) == (spot_id, "10.0.0.2", 0)
    again = spots.claim_one(spots.hello())
    assert (again["id"], again["attempt"]) == (task["id"], 1)
    assert spots.complete(task, spot_id).status_code == 409


@pytest.mark.parametrize(
    "listed",
    [
        lambda task: task["id"],
        lambda task: {"id": task["id"]},
        lambda task: {"taskId": task["id"], "leaseEpoch": task["leaseEpoch"]},
    ],
    ids=["id", "object", "object with epoch"],
)
def test_b20_a_task_that_a_heartbeat_lists_outlasts_the_five_minutes(spots, listed):
    make_sweep(2)
    kept, forgotten = spots.claim(number=2)
    nearly_over = Task.objects.get(pk=kept["id"]).lease_expires_at - timedelta(seconds=299)
    Task.objects.update(lease_expires_at=nearly_over)

    assert data(spots.beat(tasks=[listed(kept)])) == {
        "success": True,
        "ok": True,
        "unlisted": [forgotten["id"]],
    }

    left = row(kept).lease_expires_at - nearly_over
    assert timedelta(seconds=290) < left < timedelta(seconds=310)
    assert row(forgotten).lease_expires_at == nearly_over
