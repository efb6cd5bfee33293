"""What each function answers, and what it refuses."""

from datetime import datetime

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import resolve
from rest_framework.views import APIView

from accounts.models import User
from accounts.scopes import Scope
from agents.models import Agent
from api.throttling import BucketThrottle
from collab.function_views import JobStatusViewSet
from collab.functions import function
from collab.models import CollabJob, DeadLetter
from collab.quotas import DailyQuota
from collab.states import JobStatus
from tasks import reports
from tasks.models import Task
from tasks.rows import Outcome
from tasks.states import Status
from tests.accounts.tokens import client_of, of_agent, of_person
from tests.artifacts.calls import Runner
from tests.collab.calls import UNKNOWN, data, refusal
from tests.collab.functions import Functions
from tests.console.people import browser_of
from tests.factories import (
    fail_at_once,
    fresh,
    let_lease_run_out,
    make_agent,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    tasks_of,
)

pytestmark = pytest.mark.django_db

READS = {
    "metrics-overview": {},
    "jobs-recent": {},
    "job-status": {"id": "{job}"},
    "artifacts-list": {"jobId": "{job}"},
    "workers-active": {},
    "dlq-list": {},
}


@pytest.fixture
def functions(client):
    return Functions(client)


def of_somebody(group):
    """The functions as somebody of this group calls them, and that person."""
    token, secret = of_person(group)
    return Functions(client_of(secret)), token.user


def owned(task, user):
    Task.objects.filter(pk=task.pk).update(user=user)
    return task


def make_letter(user=None, **fields):
    """A job that has failed for good."""
    task = make_task(make_channel(), type="build", **fields)
    fail_at_once(Task.objects.filter(pk=task.pk))
    if user:
        owned(task, user)
    return DeadLetter.objects.get(task=task)


def complete(task, result=None):
    outcome = Outcome(task.pk, done=True, result=result)
    assert reports.report_one(outcome, agent_id=task.agent_id, by="").problem is None


def is_time(text):
    return text.endswith("Z") and datetime.fromisoformat(text)


def test_the_overview_counts_jobs_by_all_seven_statuses(functions):
    make_task(make_channel("builds"))
    make_held_task()
    make_letter()
    make_job(tasks=2)

    body = functions.read("metrics-overview")

    assert body["ok"] is True
    assert body["counts"] == dict.fromkeys(JobStatus.values, 0) | {
        "queued": 1,
        "assigned": 1,
        "dead_lettered": 1,
    }
    assert [job["status"] for job in body["latest"]] == ["dead_lettered", "assigned", "queued"]
    assert is_time(body["ts"])


def test_recent_jobs_are_paged_and_filtered(functions):
    channel = make_channel("builds")
    ids = [str(make_task(channel, type="build").pk) for _ in range(3)]
    make_task(make_channel("others"))

    first = functions.read("jobs-recent", limit=2, executorId="builds")
    rest = functions.read("jobs-recent", cursor=first["nextCursor"], executorId="builds", limit=2)

    assert first.keys() == {"items", "count", "nextCursor", "ts"}
    assert [job["id"] for job in first["items"] + rest["items"]] == ids[::-1]
    assert (first["count"], rest["count"], rest["nextCursor"]) == (2, 1, None)
    assert functions.read("jobs-recent", status="succeeded")["items"] == []


def test_the_status_of_a_job(functions):
    task = make_held_task()
    done = make_held_task()
    complete(done, {"fine": True})

    found = functions.read("job-status", id=task.pk)

    assert found == {"ok": True, "job": {"id": str(task.pk), "status": "assigned", "result": None}}
    assert functions.read("job-status", id=done.pk)["job"]["result"] == {"fine": True}


def test_the_artifacts_of_a_job(client, functions):
    runner = Runner(client)
    assert runner.put("out/log.txt", b"content").status_code == 201

    body = functions.read("artifacts-list", jobId=runner.task.pk)

    [one] = body["items"]
    assert body["count"] == 1
    assert one.keys() == {"id", "job_id", "name", "mime", "size", "sha256", "url", "created_at"}
    assert (one["job_id"], one["name"]) == (str(runner.task.pk), "out/log.txt")
    assert (one["mime"], one["size"]) == ("text/plain", 7)
    assert client.get(one["url"]).status_code == 200


def test_active_workers_are_those_that_were_seen_lately(functions):
    make_agent("worker-1")
    gone = make_agent("worker-2")
    Agent.objects.filter(pk=gone.pk).update(last_seen_at="2026-01-31T12:00:00Z")

    body = functions.read("workers-active")

    assert [worker["agent_id"] for worker in body["items"]] == ["worker-1"]
    assert body["count"] == 1
    assert is_time(body["ts"])


def test_leases_that_have_run_out_are_taken_back(functions):
    again, last = make_held_task(), make_held_task(max_attempts=1)
    for task in (again, last):
        let_lease_run_out(task)
    make_held_task()

    body = data(functions.post("leases-release", b""))

    assert (body["released"], body["deadLettered"]) == (1, 1)
    assert (fresh(again).status, fresh(last).status) == (Status.QUEUED, Status.FAILED)
    assert functions.read("leases-release") | {"ts": ""} == {
        "released": 0,
        "deadLettered": 0,
        "ts": "",
    }


def test_a_head_releases_no_leases(rf):
    task = make_held_task()
    let_lease_run_out(task)
    path = "/functions/v1/leases-release"

    assert resolve(path).func(rf.head(path)).status_code == 405
    assert fresh(task).status == Status.IN_PROGRESS


def test_dead_letters_come_the_latest_first(functions):
    older, newer = make_letter(payload={"n": 1}), make_letter()
    make_task(make_channel())

    body = functions.read("dlq-list")
    [one] = functions.read("dlq-list", limit=1)["items"]

    assert [letter["id"] for letter in body["items"]] == [newer.pk, older.pk]
    assert one["id"] == newer.pk
    assert body["count"] == 2
    job = CollabJob.objects.get(pk=older.task_id)
    assert body["items"][1] | {"created_at": ""} == {
        "id": older.pk,
        "job_id": str(older.task_id),
        "type": "build",
        "executor_id": job.executor_id,
        "reason": job.fail_reason,
        "reason_code": older.reason_code,
        "stage": "exec",
        "error": {
            "message": job.fail_reason,
            "reason": older.reason_code,
            "stage": "exec",
        },
        "last_error": job.fail_reason,
        "payload": {"n": 1},
        "payload_hash": job.payload_hash,
        "attempts": older.attempts,
        "last_owner": older.last_owner,
        "last_lease_expires_at": None,
        "correlation_id": str(job.pk),
        "trace_id": None,
        "created_at": "",
        "retries": 0,
        "retried_at": None,
        "retried_job_id": None,
    }


def test_large_dead_letters_are_not_listed_all_at_once(functions, monkeypatch):
    monkeypatch.setattr("api.sizes.MOST_BYTES", 1_500)
    letters = [make_letter(payload={"text": "x" * 1_000}) for _ in range(3)]

    assert [one["id"] for one in functions.read("dlq-list")["items"]] == [letters[-1].pk]


def test_a_dead_letter_is_replayed_once(functions):
    letter = make_letter(payload={"n": 1})

    job_id = data(functions.post("dlq-retry", dlqId=letter.pk))["jobId"]
    again = functions.post("dlq-retry", dlqId=letter.pk)

    job = CollabJob.objects.get(pk=job_id)
    assert (job.payload, job.key) == ({"n": 1}, f"dlq:{letter.task_id}")
    assert (job.status, fresh(letter.task).status) == (Status.QUEUED, Status.FAILED)
    assert refusal(again) == (409, "already_retried")
    assert again.json()["details"] == {"jobId": job_id}
    [listed] = functions.read("dlq-list")["items"]
    assert (listed["retries"], listed["retried_job_id"]) == (1, job_id)
    assert is_time(listed["retried_at"])


@pytest.mark.parametrize(
    ("name", "query", "field"),
    [
        ("jobs-recent", {"limit": "0"}, "limit"),
        ("jobs-recent", {"limit": "101"}, "limit"),
        ("jobs-recent", {"status": "done"}, "status"),
        ("dlq-list", {"limit": "x"}, "limit"),
        ("job-status", {}, "id"),
        ("job-status", {"id": "x"}, "id"),
        ("artifacts-list", {}, "jobId"),
        ("artifacts-list", {"jobId": "\0"}, "jobId"),
    ],
)
def test_a_wrong_query_is_refused_by_the_name_of_its_field(functions, name, query, field):
    response = functions.get(name, **query)

    assert refusal(response) == (400, "validation_error")
    assert list(response.json()["details"]) == [field]


@pytest.mark.parametrize("cursor", ["null", "x", "2026-01-31", "2026-01-31T12:00:00Z|x"])
def test_a_wrong_cursor_has_a_code_of_its_own(functions, cursor):
    assert refusal(functions.get("jobs-recent", cursor=cursor)) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b"{}", b'{"dlqId": 1, "x": "\\u0000"}'),
        *({"dlqId": wrong} for wrong in (None, "1", 0, -1, 1.5, True, ["1"], 2**63)),
    ],
)
def test_a_wrong_body_is_refused_and_nothing_is_queued(functions, body):
    make_letter()
    before = Task.objects.count()

    assert refusal(functions.post("dlq-retry", body)) == (400, "validation_error")
    assert Task.objects.count() == before


@pytest.mark.parametrize("body", [b"{", b'"x"', b"[]", {"traceId": 1}])
def test_nothing_is_released_where_the_body_is_wrong(functions, body):
    task = make_held_task()
    let_lease_run_out(task)

    assert refusal(functions.post("leases-release", body)) == (400, "validation_error")
    assert fresh(task).status == Status.IN_PROGRESS


def test_a_body_that_nobody_reads_may_be_anything(client):
    answer = client.generic("GET", "/functions/v1/jobs-recent", b"{", "application/json")

    assert answer.status_code == 200


def test_what_there_is_not_is_404(functions):
    [of_sweep] = tasks_of(make_job(tasks=1))

    for job_id in (UNKNOWN, of_sweep.pk):
        assert refusal(functions.get("job-status", id=job_id)) == (404, "not_found")
        assert refusal(functions.get("artifacts-list", jobId=job_id)) == (404, "not_found")
    assert refusal(functions.post("dlq-retry", dlqId=1)) == (404, "not_found")
    assert refusal(functions.get("no-such-function")) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "name"),
    [("POST", "jobs-recent"), ("GET", "dlq-retry"), ("DELETE", "leases-release")],
)
def test_another_method_is_405(client, method, name):
    response = client.generic(method, f"/functions/v1/{name}")

    assert refusal(response) == (405, "method_not_allowed")
    assert response["Allow"]


def test_users_see_and_replay_what_is_theirs_or_nobodys():
    me, user = of_somebody("User")
    other = User.objects.create_user("other")
    own, theirs = make_letter(user), make_letter(other)
    nobodys = make_letter()

    listed = {letter["id"] for letter in me.read("dlq-list")["items"]}
    recent = {job["id"] for job in me.read("jobs-recent")["items"]}

    assert listed == {own.pk, nobodys.pk}
    assert recent == {str(own.task_id), str(nobodys.task_id)}
    assert me.read("metrics-overview")["counts"]["dead_lettered"] == 2
    assert refusal(me.get("job-status", id=theirs.task_id)) == (403, "forbidden")
    assert refusal(me.get("artifacts-list", jobId=theirs.task_id)) == (403, "forbidden")
    assert refusal(me.post("dlq-retry", dlqId=theirs.pk)) == (403, "forbidden")
    assert fresh(theirs).retried_at is None
    assert data(me.post("dlq-retry", dlqId=own.pk))["jobId"]


def test_users_see_their_workers_and_nobodys():
    me, user = of_somebody("User")
    make_agent("nobodys")
    for name, owner in (("mine", user), ("theirs", User.objects.create_user("other"))):
        Agent.objects.filter(pk=make_agent(name).pk).update(user=owner)

    assert {one["agent_id"] for one in me.read("workers-active")["items"]} == {"mine", "nobodys"}


def test_viewers_read_all_and_change_nothing():
    letter, (viewer, _) = make_letter(), of_somebody("Viewer")
    task = make_held_task()
    let_lease_run_out(task)

    assert viewer.read("dlq-list")["count"] == 1
    assert refusal(viewer.post("dlq-retry", dlqId=letter.pk)) == (403, "forbidden")
    for answer in (viewer.get("leases-release"), viewer.post("leases-release")):
        assert refusal(answer) == (403, "forbidden")
    assert fresh(task).status == Status.IN_PROGRESS


def test_a_browser_releases_leases_by_post_alone():
    browser = browser_of("Operator")

    assert refusal(browser.get("/functions/v1/leases-release")) == (403, "forbidden")
    assert data(Functions(browser).post("leases-release", b""))["released"] == 0


def test_a_token_with_the_right_releases_leases_by_get():
    operator, _ = of_somebody("Operator")

    assert operator.read("leases-release")["released"] == 0


def test_functions_are_not_for_agents():
    agent = Functions(client_of(of_agent("agent-1").secret))

    for name in (*READS, "sign-artifact", "leases-release"):
        assert refusal(agent.get(name)) == (403, "forbidden")
    assert refusal(agent.post("dlq-retry", dlqId=1)) == (403, "forbidden")


@pytest.mark.parametrize("header", ["apikey", "X-Api-Key", "Authorization"])
def test_a_token_may_come_as_clients_of_the_older_project_send_it(client, header):
    secret = of_person("Viewer").secret
    value = f"Bearer {secret}" if header == "Authorization" else secret

    assert client.get("/functions/v1/jobs-recent", headers={header: value}).status_code == 200
    assert client.get("/functions/v1/jobs-recent").status_code == 401


def test_a_path_without_a_function_is_none_also_for_who_sends_apikey(client):
    secret = of_person("Viewer").secret

    found = client.get("/functions/v1/nothing", headers={"apikey": secret})

    assert refusal(found) == (404, "not_found")


def test_a_token_that_is_none_is_said_to_be_none_whatever_its_header(client):
    of_person("Viewer")  # protected mode ends

    said = [
        client.get("/functions/v1/jobs-recent", headers=headers).json()["error"]
        for headers in ({}, {"apikey": "x"}, {"X-Api-Key": "x"}, {"Authorization": "Bearer x"})
    ]

    assert said[0].startswith("Send a token as 'Authorization: Bearer <token>' or 'X-Api-Key'")
    assert {one.removesuffix(said[0]) for one in said[1:]} == {"Invalid or expired token. "}
    assert "'apikey'; `manage.py create_token` makes one" in said[0]


def test_a_trace_is_echoed(functions):
    response = functions.get("workers-active", trace_id="abc")

    assert (response.json()["trace_id"], response["X-Trace-Id"]) == ("abc", "abc")


def test_a_function_without_a_scope_cannot_be_registered():
    class Unscoped(APIView):
        throttle_classes = [BucketThrottle, DailyQuota]

    class Uncounted(Unscoped):
        function_scope = Scope.READ

    class WithoutQuota(Uncounted):
        throttle_scope = "function_read"
        throttle_classes = [BucketThrottle]

    with pytest.raises(ImproperlyConfigured, match="function_scope"):
        function("unscoped", Unscoped)
    for view in (Uncounted, WithoutQuota):
        with pytest.raises(ImproperlyConfigured, match="function_read"):
            function("uncounted", view)
    assert function("fine", JobStatusViewSet, get="show").pattern._route == "functions/v1/fine"


def etag_of(functions, name, query):
    response = functions.get(name, **query)
    assert response.status_code == 200
    return response["ETag"]


@pytest.mark.parametrize("name", READS)
def test_who_has_an_answer_already_gets_304_until_it_changes(client, functions, name):
    runner = Runner(client)
    query = {key: value.format(job=runner.task.pk) for key, value in READS[name].items()}
    etag = etag_of(functions, name, query)

    same = functions.get(name, {"If-None-Match": f'"other", {etag}'}, **query)
    assert (same.status_code, same.content) == (304, b"")
    assert same["ETag"] == etag
    assert "Content-Type" not in same.headers
    assert functions.get(name, {"If-None-Match": '"other"'}, **query).status_code == 200

    runner.put("new", b"content")
    complete(runner.task)
    make_letter()
    Agent.objects.update(capacity=7)
    assert functions.get(name, {"If-None-Match": etag}, **query).status_code == 200
    assert etag_of(functions, name, query) != etag


@pytest.mark.parametrize("name", READS)
def test_copies_are_private_and_short_lived(functions, name):
    task = make_held_task()
    query = {key: value.format(job=task.pk) for key, value in READS[name].items()}

    response = functions.get(name, **query)

    soon = {"metrics-overview", "jobs-recent", "workers-active"}
    expected = "private, max-age=5" if name in soon else "private, no-cache"
    assert response["Cache-Control"] == expected
    assert {"authorization", "apikey", "x-api-key", "cookie"} <= {
        one.strip().lower() for one in response["Vary"].split(",")
    }


def test_an_etag_is_good_for_those_who_see_the_same():
    """Two that see nothing at all get the same body, but not each other's ETag."""
    (me, _), (viewer, _) = of_somebody("User"), of_somebody("Viewer")
    etags = {etag_of(one, "jobs-recent", {}) for one in (me, viewer)}

    assert len(etags) == 2
    [of_viewer] = {etag_of(one, "jobs-recent", {}) for one in (viewer, of_somebody("Admin")[0])}
    assert me.get("jobs-recent", {"If-None-Match": of_viewer}).status_code == 200


def test_changes_errors_and_signatures_are_not_kept(functions):
    for response in (
        functions.post("leases-release", b""),
        functions.get("job-status", id=UNKNOWN),
        functions.get("sign-artifact"),
    ):
        assert response["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers
