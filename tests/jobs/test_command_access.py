"""Whose commands are whose, and what the token of a lease may do."""

from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts import sealing
from accounts.models import ApiToken, User
from events.models import Event
from jobs.models import Job
from tasks import leases, reports
from tasks.models import Task, TaskSecrets
from tasks.rows import Outcome
from tests.accounts.tokens import client_of, issue
from tests.api_v1.calls import UNKNOWN
from tests.console.people import group_of, make_person
from tests.factories import make_channel, make_task
from tests.jobs.command_calls import Commands, Runner, user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return user("Admin")


@pytest.fixture
def owner(admin):
    return user("User")


@pytest.fixture
def other(owner):
    person = make_person()
    person.groups.add(group_of("User"))
    return Commands(client_of(issue("another", user=person).secret))


@pytest.fixture
def runner(admin):
    return Runner(client=admin.client)


def test_users_see_and_steer_their_commands_alone(admin, owner, other, runner):
    made = owner.make()
    job = f"/{made['job_id']}"

    assert made["user_id"] is not None
    assert owner.get(made["job_id"]) == admin.get(made["job_id"]) == made
    for method, verb in [("GET", ""), ("PUT", "/cancel"), ("POST", "/retry")]:
        assert other.send(method, f"{job}{verb}").status_code == 403
    assert [one.listed().json()["total"] for one in (owner, admin, other)] == [1, 1, 0]
    assert other.listed(user_id=made["user_id"]).json()["total"] == 0
    assert admin.listed(user_id=made["user_id"]).json()["total"] == 1
    assert owner.send("PUT", f"{job}/cancel").json()["status"] == "cancelled"
    assert owner.send("POST", f"{job}/retry").json()["user_id"] == made["user_id"]


def test_only_administrators_kill_and_delete(admin, owner, other, runner):
    made = owner.make()
    runner.claim()

    for verb in [("POST", "/kill"), ("DELETE", "")]:
        for one in (owner, other):
            answer = one.send(verb[0], f"/{made['job_id']}{verb[1]}")
            assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert admin.send("POST", f"/{made['job_id']}/kill").status_code == 200
    assert admin.send("DELETE", f"/{made['job_id']}").status_code == 204


def test_a_retry_by_an_administrator_stays_its_owners(admin, owner, runner):
    made = owner.make()
    runner.exit(runner.claim(), "failed")

    again = admin.send("POST", f"/{made['job_id']}/retry").json()

    assert again["user_id"] == made["user_id"]
    assert owner.status(again["job_id"]) == "queued"


def test_keys_are_those_of_each_user(owner, other):
    first, second = owner.make(key="k"), other.make(key="k")

    assert first["job_id"] != second["job_id"]


def test_a_user_submits_into_no_channel_of_another(owner, other):
    assert (
        owner.client.post(
            "/v1/channels", {"name": "mine"}, content_type="application/json"
        ).status_code
        == 201
    )

    assert other.submit(queue_name="mine").status_code == 403
    assert owner.submit(queue_name="mine").status_code == 201


def test_no_user_owns_the_usual_queue(owner):
    answer = owner.client.post(
        "/v1/channels", {"name": "Reactorcide-Jobs"}, content_type="application/json"
    )

    assert answer.status_code == 409


def test_the_token_of_a_lease_is_for_its_task_alone(owner, runner, admin):
    first, second = owner.make(), owner.make()
    task = runner.claim()
    mine = runner.token
    another = runner.claim()

    def send(path, **body):
        said = {"lease_epoch": task["lease_epoch"]} | body
        return runner.post(path, said, client_of(mine)).status_code

    assert send(f"tasks/{task['id']}/renew") == 200
    assert send(f"tasks/{task['id']}/secrets") == 200
    assert send(f"tasks/{another['id']}/renew") == 403
    assert send(f"tasks/{task['id']}/renew", lease_epoch=2) == 403
    assert send(f"tasks/{task['id']}/renew", agent_id="runner-2") == 403
    assert send("tasks/claim", channel="reactorcide-jobs") == 403
    assert send("agents/heartbeat") == 403
    assert send("tasks/complete", task_id=task["id"]) == 403
    assert client_of(mine).get(f"/v1/tasks/{task['id']}").status_code == 403
    assert client_of(mine).get("/api/v1/jobs").status_code == 403
    assert client_of(mine).get(f"/api/v1/jobs/{first['job_id']}").status_code == 403
    assert Task.objects.get(pk=second["task_id"]).status == "in_progress"


def test_secrets_of_no_task_are_not_found(owner, runner):
    answer = runner.post(f"tasks/{UNKNOWN}/secrets", {"lease_epoch": 1})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_the_token_of_a_lease_ends_with_it(owner, runner, admin):
    made = owner.make(max_attempts=2)
    task = runner.claim()
    old = runner.token
    Task.objects.filter(pk=made["task_id"]).update(lease_expires_at="2020-01-01T00:00:00Z")
    leases.expire_leases()
    epoch = {"lease_epoch": task["lease_epoch"]}

    # Nobody has had it since: a report would still count, but nothing that needs the lease.
    assert runner.post(f"tasks/{task['id']}/renew", epoch, client_of(old)).status_code == 409
    assert runner.post(f"tasks/{task['id']}/secrets", epoch, client_of(old)).status_code == 409
    again = runner.claim()
    assert again["id"] == task["id"]
    assert runner.token != old
    assert runner.post(f"tasks/{task['id']}/renew", epoch, client_of(old)).status_code == 401
    assert runner.exit(again).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
        lambda token: token.replace("_1_", "_2_"),
        lambda token: token.upper(),
        lambda token: token + "0",
        lambda token: token.replace(token[6:38], "0" * 32),
    ],
)
def test_a_forged_token_of_a_lease_lets_nobody_in(owner, runner, change):
    owner.make()
    task = runner.claim()
    epoch = {"lease_epoch": task["lease_epoch"]}

    forged = client_of(change(runner.token))

    assert runner.post(f"tasks/{task['id']}/renew", epoch, forged).status_code == 401


def test_only_commands_have_tokens_of_leases(runner, admin):
    channel = make_channel("plain")
    make_task(channel)

    answer = runner.post("tasks/claim", {"channel": "plain"})

    assert "lease_token" not in answer.json()["task"]
    assert ApiToken.objects.filter(name__startswith="lease").count() == 0


def test_secrets_are_for_the_holder_alone_and_shown_to_nobody(owner, runner, admin):
    made = owner.make(
        job_env_vars={"TOKEN": "s3cr3t-value", "PLAIN": "seen"}, job_env_secrets=["TOKEN"]
    )
    assert made["job_env_vars"] == {"TOKEN": "[REDACTED]", "PLAIN": "seen"}
    assert made["job_env_secrets"] == ["TOKEN"]
    task = runner.claim()

    given = runner.by_lease(task, "secrets").json()

    assert given == {"secrets": {"TOKEN": "s3cr3t-value"}}
    assert task["payload"]["environment"] == {"PLAIN": "seen"}
    assert task["payload"]["secret_names"] == ["TOKEN"]
    stranger = {"agent_id": "runner-2", "lease_epoch": task["lease_epoch"]}
    answer = admin.client.post(
        f"/v1/tasks/{task['id']}/secrets", stranger, content_type="application/json"
    )
    assert answer.status_code == 409
    runner.exit(task, "failed", exit_code=2, error="curl: s3cr3t-value and czNjcjN0LXZhbHVl")
    ended = owner.get(made["job_id"])
    assert ended["last_error"] == "curl: [REDACTED] and [REDACTED]"


def test_the_credential_of_a_git_url_is_for_the_holder_alone(owner, runner, admin):
    with_credential = {"source_type": "git", "git_url": "https://ada:s3cr3t@host/a.git"}
    made = owner.make(**with_credential)
    task = runner.claim()

    given = runner.by_lease(task, "secrets").json()

    assert given == {"secrets": {"source:credential": "ada:s3cr3t"}}
    assert task["payload"]["source"]["url"] == "https://host/a.git"
    assert task["payload"]["secret_names"] == ["source:credential"]
    assert (made["git_url"], made["source_url"]) == ("https://host/a.git", "https://host/a.git")
    assert (made["job_env_vars"], made["job_env_secrets"]) == ({}, [])
    runner.exit(task, "failed", error="ada s3cr3t czNjcjN0")
    assert owner.get(made["job_id"])["last_error"] == "ada [REDACTED] [REDACTED]"
    again = owner.send("POST", f"/{made['job_id']}/retry").json()
    assert again["git_url"] == "https://host/a.git"
    assert runner.by_lease(runner.claim(), "secrets").json() == given


def test_another_credential_is_another_request(owner):
    def submit(credential):
        url = f"https://{credential}@host/a.git"
        return owner.submit(key="k", source_type="git", git_url=url)

    first = submit("ada:one-word").json()

    assert (submit("ada:one-word").status_code, submit("ada:two-word").status_code) == (200, 409)
    assert submit("ada:one-word").json() == first


def test_secrets_are_sealed_at_rest_and_in_no_event(owner, runner, admin):
    made = [
        owner.make(
            job_env_vars={"TOKEN": "s3cr3t-value"},
            job_env_secrets=["TOKEN"],
            source_type="git",
            git_url="https://ada:s3cr3t-word@host/a.git",
            max_attempts=9,
        )
        for _ in range(7)
    ]
    said = "s3cr3t-value, s3cr3t-word"
    completed, failed, listed, tried, refused, released = [runner.claim() for _ in made[1:]]
    answers = [
        report(runner, completed, "complete", result={said: [said]}),
        report(runner, failed, "fail", reason=said),
        report(runner, tried, "fail", reason=said, retriable=True),
        report(runner, refused, "fail", reason=said, unsupported=True),
        runner.by_lease(released, "release", {"reason": said}),
        runner.exit(runner.claim(), "failed", exit_code=2, error=said),
    ]
    outcome = {"task_id": listed["id"], "status": "failed", "reason": said}
    answers.append(runner.post("tasks/report", {"outcomes": [outcome]}))
    assert [answer.status_code for answer in answers] == [200] * 7, answers
    assert report(runner, completed, "complete", result={said: [said]}).status_code == 200

    said = ["s3cr3t", b"s3cr3t".hex()]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608
            rows = " ".join(row for (row,) in cursor)
            assert [form for form in said if form in rows] == [], table


def report(runner, task, verb, **body):
    whose = {"task_id": task["id"], "lease_epoch": task["lease_epoch"]}
    return runner.post(f"tasks/{verb}", whose | body)


def test_what_plain_reports_say_of_secrets_is_masked(owner, runner):
    made = owner.make(job_env_vars={"TOKEN": "s3cr3t"}, job_env_secrets=["TOKEN"])
    task = runner.claim()

    answer = report(runner, task, "complete", result={"s3cr3t": ["see s3cr3t", 7, None]})

    assert answer.json()["task"]["result"] == {"[REDACTED]": ["see [REDACTED]", 7, None]}
    assert owner.status(made["job_id"]) == "completed"
    again = owner.make(job_env_vars={"TOKEN": "s3cr3t"}, job_env_secrets=["TOKEN"])
    failed = report(runner, runner.claim(), "fail", reason="no s3cr3t")
    assert failed.json()["task"]["fail_reason"] == "no [REDACTED]"
    assert owner.get(again["job_id"])["last_error"] == "no [REDACTED]"


def test_what_is_said_of_secrets_that_cannot_be_opened_is_masked_whole(owner, runner):
    made = owner.make(job_env_vars={"TOKEN": "s3cr3t"}, job_env_secrets=["TOKEN"])
    TaskSecrets.objects.update(sealed=b"by a key that is gone")

    assert runner.exit(runner.claim(), "failed", error="no s3cr3t").status_code == 200

    assert owner.get(made["job_id"])["last_error"] == "[REDACTED]"


def test_a_report_on_a_task_without_secrets_looks_for_none(runner, admin):
    channel = make_channel("plain")
    for _ in range(2):
        make_task(channel)
    first, second = (
        runner.post("tasks/claim", {"channel": "plain"}).json()["task"] for _ in range(2)
    )

    with CaptureQueriesContext(connection) as asked:
        report(runner, first, "complete", result={})
        with transaction.atomic():
            outcomes = [Outcome(UUID(second["id"]), True, result={})]
            reports.report_in_transaction(outcomes, agent_id=runner.agent_id, by="")

    assert not [one for one in asked if "secrets" in one["sql"]]
    assert not Task.objects.exclude(status="done").exists()


def test_a_command_with_secrets_is_assigned_to_no_agent_of_another_user(admin, owner, other):
    with_secrets = {"job_env_vars": {"TOKEN": "s3cr3t"}, "job_env_secrets": ["TOKEN"]}
    made, plain = owner.make(**with_secrets), owner.make()
    mine, theirs = Runner("mine", owner.client), Runner("theirs", other.client)
    nobodys = Runner("nobodys", admin.client)

    def assign(made, runner):
        body = {"task_id": made["task_id"], "agent_id": runner.agent_id}
        path = "/v1/tasks/assign"
        return admin.client.post(path, body, content_type="application/json").status_code

    assert (assign(made, theirs), assign(plain, theirs)) == (409, 200)
    assert assign(made, mine) == 200
    assert assign(owner.make(**with_secrets), nobodys) == 200


def test_the_token_of_a_lease_ends_with_the_user_of_its_agent(admin, owner):
    owner.make()
    runner = Runner("mine", owner.client)
    task = runner.claim()
    assert runner.by_lease(task, "renew").status_code == 200

    User.objects.filter(agents="mine").update(is_active=False)

    assert runner.by_lease(task, "renew").status_code == 401


def test_a_command_in_a_users_channel_is_that_users(admin, owner, other):
    channel = {"name": "mine"}
    owner.client.post("/v1/channels", channel, content_type="application/json")

    made = admin.make(queue_name="mine")

    assert owner.get(made["job_id"])["user_id"] == owner.make()["user_id"]
    assert other.send("GET", f"/{made['job_id']}").status_code == 403


def test_only_who_steers_all_retries_nobodys_command_with_secrets(admin, owner, runner):
    with_secrets = {"job_env_vars": {"TOKEN": "s3cr3t"}, "job_env_secrets": ["TOKEN"]}
    made = [admin.make(**more)["job_id"] for more in (with_secrets, {})]
    Job.objects.update(user=None)
    for _ in made:
        runner.exit(runner.claim(), "failed")

    said = [owner.send("POST", f"/{job_id}/retry").status_code for job_id in made]

    assert said == [403, 201]
    assert admin.send("POST", f"/{made[0]}/retry").status_code == 201


def test_who_was_given_secrets_is_in_the_journal(owner, runner):
    owner.make(job_env_vars={"TOKEN": "s3cr3t"}, job_env_secrets=["TOKEN"])
    task = runner.claim()

    runner.by_lease(task, "secrets")

    [event] = Event.objects.filter(type="task.secrets_given")
    assert (event.task_id, event.agent_id) == (task["id"], "runner-1")


@pytest.mark.parametrize("secret", ["x" * 33_000, "line\n" * 600])
def test_secrets_that_would_make_masking_slow_are_refused(owner, secret):
    answer = owner.submit(job_env_vars={"TOKEN": secret}, job_env_secrets=["TOKEN"])

    assert (answer.status_code, list(answer.json()["details"])) == (400, ["job_env_secrets"])


def test_what_was_sealed_before_a_key_was_set_is_still_opened(settings):
    sealed = sealing.seal({"A": "b"})
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    assert sealing.opened(sealed) == {"A": "b"}
    assert sealing.opened(sealing.seal({"A": "c"})) == {"A": "c"}
