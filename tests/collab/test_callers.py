"""Who calls: tokens in the headers of the older project, workers, users and operators."""

import pytest

from accounts.models import User
from tasks.models import Channel, Task
from tests.accounts.tokens import client_of, issue, of_agent, of_person
from tests.collab.calls import Collab, data, refusal
from tests.console.people import group_of

pytestmark = pytest.mark.django_db

ANON = "sb_publishable_4711"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl"


@pytest.fixture
def secret():
    return of_person("Operator").secret


def user(name):
    person = User.objects.create_user(name)
    person.groups.add(group_of("User"))
    return Collab(client_of(issue(f"of {name}", user=person, role="user").secret))


def test_a_token_may_come_in_either_header_of_the_older_project(client, secret):
    bearer = f"Bearer {secret}"
    for headers in (
        {"apikey": secret},
        {"apikey": secret, "authorization": f"Bearer {JWT}"},
        {"apikey": ANON, "authorization": bearer},
        {"authorization": bearer},
        {"x-api-key": secret},
    ):
        assert Collab(client, **headers).get("/jobs/recent").status_code == 200, headers


def test_what_is_no_token_is_refused(client, secret):
    for headers in ({}, {"apikey": ANON}, {"apikey": ANON, "authorization": f"Bearer {JWT}"}):
        answer = Collab(client, **headers).get("/jobs/recent")
        assert refusal(answer) == (401, "unauthenticated"), headers


def test_elsewhere_the_header_counts_for_nothing(client, secret):
    assert client.get("/v1/tasks", headers={"apikey": secret}).status_code == 401


def test_the_token_of_an_agent_works_as_that_agent_alone(secret):
    operator, agent = Collab(client_of(secret)), Collab(client_of(of_agent("worker-1").secret))
    operator.assign()

    beat = {"agentId": "worker-1", "executorId": "builds", "status": "idle"}
    data(agent.post("/workers/heartbeat", **beat))
    job = agent.claim("worker-1")
    data(agent.by_worker("start", job))
    data(agent.by_worker("renew", job))
    data(agent.by_worker("progress", job, pct=5))
    nameless = agent.result(job)
    other = agent.result(job, workerId="worker-2")
    data(agent.result(job, workerId="worker-1"))

    assert refusal(nameless) == refusal(other) == (403, "forbidden")
    assert refusal(agent.post("/task.assign", type="x", executorId="builds")) == (403, "forbidden")
    assert operator.job(job["id"])["status"] == "succeeded"


def test_an_agent_of_some_executors_claims_from_no_other(secret):
    operator = Collab(client_of(secret))
    operator.assign("builds")
    operator.assign("tests")
    agent = Collab(client_of(of_agent("worker-1", channels=["Builds"]).secret))

    refused = agent.post("/task.claim", executorId="tests", workerId="worker-1")

    assert refusal(refused) == (403, "forbidden")
    assert agent.claim("worker-1", "builds") is not None


def test_users_see_and_steer_what_is_theirs(secret):
    one, other = user("one"), user("other")
    mine, theirs = one.assign(), other.assign()

    assert {job["id"] for job in one.recent()["items"]} == {mine}
    assert data(one.get("/metrics/overview"))["counts"]["queued"] == 1
    assert data(one.post("/task.cancel", jobId=mine))["status"] == "cancelled"
    for refused in (
        one.get(f"/job/{theirs}"),
        one.get(f"/events/by-job/{theirs}"),
        one.post("/task.cancel", jobId=theirs),
    ):
        assert refusal(refused) == (403, "forbidden")
    assert {job["id"] for job in Collab(client_of(secret)).recent()["items"]} == {mine, theirs}


def test_users_neither_assign_to_nor_claim_from_the_channel_of_another():
    one, other = user("one"), user("other")
    owner = User.objects.get(username="one")
    Channel.objects.create(name="private", user=owner)
    one.assign("private")

    assert refusal(other.post("/task.assign", type="x", executorId="private")) == (403, "forbidden")
    claim = other.post("/task.claim", executorId="private", workerId="worker-2")
    assert refusal(claim) == (403, "forbidden")
    assert one.claim("worker-1", "private")["tenant_id"] == str(owner.pk)


def test_a_result_of_nobody_is_for_those_who_operate(secret):
    one, operator = user("one"), Collab(client_of(secret))
    one.assign()
    job = one.claim("worker-1")

    assert refusal(one.result(job)) == (403, "forbidden")
    assert data(operator.result(job)) == {"ok": True}
    assert Task.objects.get(pk=job["id"]).status == "done"


def test_a_user_does_not_report_for_the_worker_of_another():
    one, other = user("one"), user("other")
    one.assign()
    job = one.claim("worker-1")

    for verb in ("start", "renew", "progress", "release"):
        assert refusal(other.by_worker(verb, job)) == (403, "forbidden"), verb
    assert refusal(other.result(job, workerId="worker-1")) == (403, "forbidden")
    beat = {"agentId": "worker-1", "executorId": "builds", "status": "idle"}
    assert refusal(other.post("/workers/heartbeat", **beat)) == (403, "forbidden")
