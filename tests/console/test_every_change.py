"""Every change that a person makes through the API by a session is in the audit, with the change:
in its transaction, by its own object, however the request is written."""

import pytest
from django.test import Client
from django.urls import get_resolver

from agents.models import Agent
from collab.models import DeadLetter
from console.audited import Audited
from events import audit as writing
from events.models import OperatorAction
from tasks.models import Task
from tests.collab.calls import Collab
from tests.console.clicking import audit
from tests.console.people import browser_of, make_person
from tests.factories import (
    fail_at_once,
    fresh,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    steps_of,
    tasks_of,
)

pytestmark = pytest.mark.django_db

BESIDE: dict[str, str] = {
    "v1/tasks/claim/wait": "audits what it claims",
    "v1/dead-letters/purge": "is a verb of the console",
    "v1/dead-letters/requeue": "is a verb of the console",
    "v1/events": "audits what is posted",
    "v1/tasks/<uuid:task_id>/logs": "lines of an agent's log, which name its lease",
    "v1/tasks/<uuid:task_id>/artifacts/<path:path>": "files of an agent, which name its lease",
    "api/collab/workers/heartbeat": "an agent's presence",
    "functions/v1/leases-release": "as the coordinator does by itself",
    "functions/v1/key-vault/upsert": "the vault has an audit of its own",
    "functions/v1/key-vault/get": "the vault has an audit of its own",
    "functions/v1/key-vault/rotate": "the vault has an audit of its own",
    "functions/v1/key-vault/revoke": "the vault has an audit of its own",
    "functions/v1/router-select": "only chooses",
    "console/attention/dismiss": "audits what is dismissed",
    "console/<kind>/<name>": "a verb",
    "api/v1/^tokens/?$": "audited by signals",
    "api/v1/^tokens/(?P<token_id>[^/]+)/?$": "audited by signals",
    "v1/auth/agent-token": "audited by signals",
    "v1/auth/login": "nobody has signed in",
    "v1/auth/register": "nobody has signed in",
}
NOT_AUDITED = {
    "renew",
    "secrets",
    "claim_input",
    "heartbeat",
    "start",
    "progress",
}
UNSAFE = ("post", "put", "patch", "delete")


def operations(patterns, prefix=""):
    """The paths of the API at which something is changed, with the class and the action."""
    for one in patterns:
        path = prefix + str(one.pattern)
        if hasattr(one, "url_patterns"):
            yield from operations(one.url_patterns, path)
            continue
        view = getattr(one.callback, "cls", None)
        actions = getattr(one.callback, "actions", None)
        for method in UNSAFE:
            if view and (method in actions if actions else hasattr(view, method)):
                yield path, view, (actions or {}).get(method, method)


def test_each_operation_that_changes_something_is_audited_or_says_why_not():
    found = list(operations(get_resolver().url_patterns))
    beside = {path for path, view, _ in found if not issubclass(view, Audited)}
    left_out = {
        action
        for _, view, action in found
        if issubclass(view, Audited) and action in view.not_audited
    }

    assert beside == set(BESIDE)
    assert left_out == NOT_AUDITED


@pytest.fixture
def operator():
    return browser_of("Operator")


def post(client, path, **body):
    return client.post(path, body, content_type="application/json")


def make_dead(**fields):
    task = make_task(**fields)
    fail_at_once(Task.objects.filter(pk=task.pk))
    return fresh(task)


@pytest.mark.parametrize("verb", ["requeue", "purge"])
@pytest.mark.parametrize("chosen", ["ids", "filter"])
def test_dead_letters_are_requeued_and_purged_as_by_the_verbs(operator, verb, chosen):
    alone, other = make_dead(), make_dead()
    step = steps_of(make_chain(tasks=1))[0]
    fail_at_once(Task.objects.filter(pk=step.pk))
    dead = [alone, other, step]
    which = {"filter": {}, "all": True}
    if chosen == "ids":
        which = {"ids": [str(task.pk) for task in dead]}

    answer = post(operator, f"/v1/dead-letters/{verb}", reason="repaired", **which)

    assert answer.json()[{"requeue": "requeued", "purge": "purged"}[verb]] == 3, answer.content
    for task in dead:
        assert audit(task) == [(verb, "user:operator", "repaired", "")]


def test_a_dead_letter_that_is_none_is_audited_as_refused(operator):
    task = make_task()

    post(operator, "/v1/dead-letters/purge", reason="x", ids=[str(task.pk)])

    assert audit(task) == [("purge", "user:operator", "x", "conflict")]


def test_a_user_without_more_rights_purges_their_own(client):
    browser = browser_of("User")
    task = make_dead(user_id=browser.session["_auth_user_id"])

    answer = post(browser, "/v1/dead-letters/purge", reason="x", ids=[str(task.pk)])

    assert answer.json()["purged"] == 1
    assert [row[:2] for row in audit(task)] == [("purge", "user:user")]


def test_all_outcomes_of_a_report_are_audited_and_what_it_claims(operator):
    agent = make_agent()
    done, failed = make_held_task(agent), make_held_task(agent)
    lost, waiting = make_task(), make_task()
    outcomes = [
        {"task_id": str(done.pk), "status": "done"},
        {"task_id": str(failed.pk), "status": "failed", "reason": "no disk"},
        {"task_id": str(lost.pk), "status": "done"},
    ]
    claim = {"channel_ids": [str(waiting.channel_id)], "max_tasks": 1}

    answer = post(operator, "/v1/tasks/report", agent_id=agent.pk, outcomes=outcomes, claim=claim)

    assert answer.status_code == 200, answer.content
    kept = {row.object_id: row for row in OperatorAction.objects.all()}
    assert set(kept) == {str(task.pk) for task in (done, failed, waiting)}
    assert kept[str(done.pk)].after["status"] == "done"
    assert kept[str(failed.pk)].after["status"] == "failed"
    assert {row.verb for row in kept.values()} == {"report"}


def test_what_a_person_claims_is_audited(operator):
    """Of a claim that waits: tests/dashboard/test_async_operations.py."""
    task, agent = make_task(), make_agent()

    answer = post(
        operator, "/v1/tasks/claim", agent_id=agent.pk, channel_ids=[str(task.channel_id)]
    )

    assert answer.status_code == 200, answer.content
    assert fresh(task).agent_id == agent.pk
    assert [row[:2] for row in audit(task)] == [("claim", "user:operator")]


def test_a_claim_that_finds_nothing_registers_its_agent_all_the_same(operator):
    channel = make_channel()

    answer = post(
        operator, "/v1/tasks/claim", agent_id="somebody new", channel_ids=[str(channel.pk)]
    )

    assert answer.status_code == 404
    assert Agent.objects.filter(pk="somebody new").exists()


def test_a_body_cannot_lead_the_audit_to_another_object(operator):
    """What names no object of this operation is not taken for one."""
    other, channel = make_task(), make_channel()

    post(operator, "/v1/tasks", title="x", channel_id=str(channel.pk), **{"task_id": str(other.pk)})
    post(operator, "/v1/chains", name="x", channel_id=str(channel.pk), **{"": str(other.pk)})

    made = Task.objects.exclude(pk=other.pk).get()
    assert audit(other) == []
    assert [row[:2] for row in audit(made)] == [("create", "user:operator")]
    assert OperatorAction.objects.filter(kind="chain").count() == 1


@pytest.mark.parametrize("field", ["task_id", "Task_ID", "TASK_ID"])
def test_the_object_is_found_as_the_operation_finds_it(operator, field):
    task = make_held_task()

    answer = post(operator, "/v1/tasks/complete", **{field: f" {str(task.pk).upper()} "})

    assert answer.status_code == 200, answer.content
    [entry] = OperatorAction.objects.all()
    assert (entry.object_id, entry.before["status"]) == (str(task.pk), "in_progress")


def test_an_agent_is_found_by_any_spelling_of_its_name(operator):
    agent = make_agent("빌드-é")

    post(operator, "/v1/notifications/dismiss", agent_id=" 빌드-é ", type="setup_waiting")

    assert [row[0] for row in audit(agent)] == ["dismiss"]


class Lost(Exception):
    """The process ends before the audit is written."""


def lose(*args):
    raise Lost


IN_ONE = {
    "claim": ("/v1/tasks/claim", {"agent_id": "{agent}", "channel_ids": ["{channel}"]}),
    "assign": ("/v1/tasks/assign", {"agent_id": "{agent}", "task_id": "{queued}"}),
    "complete": ("/v1/tasks/complete", {"task_id": "{held}"}),
    "complete as agent": ("/v1/tasks/complete", {"agent_id": "{agent}", "task_id": "{held}"}),
    "fail": ("/v1/tasks/fail", {"task_id": "{held}"}),
    "release": ("/v1/tasks/{held}/release", {"agent_id": "{agent}"}),
    "report": (
        "/v1/tasks/report",
        {"agent_id": "{agent}", "outcomes": [{"task_id": "{held}", "status": "done"}]},
    ),
    "cancel": ("/v1/tasks/{queued}/cancel", {}),
    "assign-agent": ("/v1/chains/{chain}/assign-agent", {"agent_id": "{agent}"}),
    "retire": ("/v1/agents/{agent}/retire", {}),
    "cancel job": ("/api/v1/jobs/{job}/cancel", {}),
    "purge": ("/v1/dead-letters/purge", {"ids": ["{dead}"], "reason": "x"}),
    "requeue": ("/v1/dead-letters/requeue", {"ids": ["{dead}"], "reason": "x"}),
    "event": ("/v1/events", {"agent_id": "{agent}", "type": "x"}),
    "spot": ("/internal/v1/tasks/{held}/release", {"spotId": "{agent}"}),
}


def filled(value, names):
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, dict):
        return {key: filled(one, names) for key, one in value.items()}
    return [filled(one, names) for one in value] if isinstance(value, list) else value


def everything():
    """All that these operations change."""
    tasks = Task.objects.order_by("pk").values_list("pk", "status", "agent", "cancel_asked_at")
    agents = Agent.objects.order_by("pk").values_list("pk", "draining")
    return list(tasks), list(agents)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", IN_ONE)
def test_what_cannot_be_audited_does_not_happen(monkeypatch, name):
    path, body = IN_ONE[name]
    browser = browser_of("Admin")
    browser.raise_request_exception = True
    held = make_held_task(make_agent("agent"))
    chain = make_chain(tasks=1)
    Agent.objects.filter(pk="agent").update(subscriptions=[chain.channel.name])
    names = {
        "agent": "agent",
        "held": held.pk,
        "queued": make_task(held.channel).pk,
        "channel": held.channel_id,
        "chain": chain.pk,
        "job": make_job(tasks=2).public_id,
        "dead": make_dead().pk,
    }
    before = everything()
    monkeypatch.setattr(writing, "write", lose)

    with pytest.raises(Lost):
        post(browser, path.format(**names), **filled(body, names))
    assert everything() == before

    monkeypatch.undo()
    answer = post(browser, path.format(**names), **filled(body, names))
    assert answer.status_code in {200, 201}, answer.content
    assert OperatorAction.objects.exists()


def test_jobs_of_collaborating_workers_are_audited_as_tasks(operator):
    calls = Collab(operator)
    job_id = calls.assign()
    task = Task.objects.get(pk=job_id)
    assert [row[0] for row in audit(task)] == ["assign"]
    calls.claim()
    post(operator, "/api/collab/task.cancel", jobId=job_id, mode="soft", reason="no need")

    assert [(row[0], row[2]) for row in audit(task)][1:] == [
        ("claim", "no reason given"),
        ("cancel", "no need"),
    ]


def test_a_dead_letter_that_is_replayed_is_audited(operator):
    calls = Collab(operator)
    job_id = calls.assign()
    fail_at_once(Task.objects.filter(pk=job_id))
    letter = DeadLetter.objects.get(task=job_id)

    answer = post(operator, "/functions/v1/dlq-retry", dlqId=letter.pk)

    assert answer.status_code == 200, answer.content
    assert [row[0] for row in audit(Task.objects.get(pk=answer.json()["jobId"]))] == ["retry"]


def test_the_task_of_a_job_is_reported_for_a_spot_by_a_person(operator):
    job = make_job(tasks=1)
    post(operator, "/internal/v1/hello", spotId="spot-1")
    post(operator, "/internal/v1/tasks/claim", spotId="spot-1")
    [task] = tasks_of(job)
    assert task.agent_id == "spot-1"

    post(operator, f"/internal/v1/tasks/{task.pk}/fail", spotId="spot-1", error="no disk")

    assert [row[0] for row in audit(task)] == ["claim", "fail"]
    assert [row[0] for row in audit(Agent.objects.get(pk="spot-1"))] == ["hello"]


def test_an_event_that_a_person_posts_names_the_person(operator):
    agent = make_agent()

    answer = post(operator, "/v1/events", agent_id=agent.pk, type="build.started")

    entry = OperatorAction.objects.get()
    assert (entry.verb, entry.kind, entry.actor) == ("post", "event", "user:operator")
    assert entry.object_id == str(answer.json()["event"]["id"])
    assert entry.after["agent"] == agent.pk


def test_without_the_token_of_the_form_no_session_changes_anything():
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_person("Operator"))
    task = make_held_task()

    for path, body in [
        ("/v1/tasks/complete", {"task_id": str(task.pk)}),
        ("/console/tasks/force_cancel", {"ids": [str(task.pk)], "reason": "x"}),
        ("/v1/dead-letters/purge", {"ids": [str(task.pk)], "reason": "x"}),
        ("/v1/tasks/claim/wait?wait_seconds=0", {"agent_id": "x"}),
    ]:
        assert post(browser, path, **body).status_code == 403, path
    assert fresh(task).status == "in_progress"
    assert not OperatorAction.objects.exists()
