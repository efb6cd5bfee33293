"""What a person does through the API by their session is audited; what programs do is not."""

import pytest
from django.urls import get_resolver
from django.utils import translation

from accounts.rights import SAFE_METHODS
from console.audited import Audited
from console.kinds import verb_label
from events.audit import NO_REASON
from events.models import OperatorAction
from tests.accounts import tokens
from tests.console.clicking import audit
from tests.console.people import browser_of, make_person
from tests.factories import (
    fresh,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_task,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    return browser_of("Operator")


def post(client, path, **body):
    return client.post(path, body, content_type="application/json")


def test_a_task_that_is_completed_by_a_person_is_audited(operator):
    task = make_held_task()

    answer = post(operator, "/v1/tasks/complete", task_id=str(task.pk), result=1)

    assert answer.status_code == 200
    assert audit(task) == [("complete", "user:operator", NO_REASON, "")]
    entry = OperatorAction.objects.get()
    assert (entry.before["status"], entry.after["status"]) == ("in_progress", "done")


def test_a_reason_that_is_given_is_kept_and_a_refusal_is_written(operator):
    task = make_held_task()

    for _ in range(2):
        post(operator, "/v1/tasks/fail", task_id=str(task.pk), reason="it hangs", retriable=False)
    refused = post(operator, "/v1/tasks/complete", task_id=str(task.pk))

    assert refused.status_code == 409
    assert audit(task)[0] == ("fail", "user:operator", "it hangs", "")
    assert audit(task)[-1] == ("complete", "user:operator", NO_REASON, "conflict")


NOTE = {"agent_id": "{agent}", "type": "setup_waiting"}
PATHS = [
    ("/v1/tasks/{task}/cancel", {"reason": "why"}, "cancel", "task"),
    ("/v1/channels/{channel}/pause", {"reason": "why"}, "pause", "channel"),
    ("/v1/agents/{agent}/drain", {"reason": "why"}, "drain", "agent"),
    ("/v1/chains/{chain}/assign-agent", {"agent_id": "{agent}"}, "assign_agent", "chain"),
    (
        "/v1/notifications/dismiss",
        {"agent_id": "{agent}", "type": "setup_waiting"},
        "dismiss",
        "agent",
    ),
    ("/api/v1/jobs/{job}/cancel", {"reason": "why"}, "cancel", "job"),
    ("/v1/tasks", {"title": "x", "channel_id": "{channel}"}, "create", "task"),
    ("/v1/chains", {"name": "x", "channel_id": "{channel}"}, "create", "chain"),
    ("/v1/channels", {"name": "x"}, "create", "channel"),
    ("/v1/agents/request-session", {"channel_id": "{channel}"}, "request_session", "task"),
]


@pytest.mark.parametrize(
    ("path", "body", "verb", "kind"), PATHS, ids=[f"{kind}-{verb}" for _, _, verb, kind in PATHS]
)
def test_each_change_by_a_session_is_audited_and_by_a_token_it_is_not(
    operator, path, body, verb, kind
):
    chain = make_chain(tasks=1)
    agent = make_agent("agent", subscriptions=(chain.channel.name,))
    names = {
        "task": make_task(chain.channel).pk,
        "channel": chain.channel_id,
        "chain": chain.pk,
        "agent": agent.pk,
        "job": make_job(tasks=1).public_id,
    }
    body = {name: value.format(**names) for name, value in body.items()}
    _, secret = tokens.issue(user=make_person("Admin"))
    program = tokens.client_of(secret)

    answer = post(operator, path.format(**names), **body)

    assert answer.status_code in {200, 201}, answer.content
    entry = OperatorAction.objects.get(actor="user:operator")
    assert (entry.verb, entry.kind, entry.actor) == (verb, kind, "user:operator")
    assert entry.reason == body.get("reason", NO_REASON)

    again = {name: f"{value} 2" if name == "name" else value for name, value in body.items()}
    post(program, path.format(**names), **again)
    assert OperatorAction.objects.filter(actor__startswith="user:").count() == 1


def test_what_is_rolled_back_leaves_no_entry_of_success(operator):
    channel = make_channel("taken")

    refused = post(operator, "/v1/channels", name="taken")

    assert refused.status_code == 409
    assert not OperatorAction.objects.exists()
    assert fresh(channel).name == "taken"


def audited_actions():
    """The kind and the name of everything that a session can change by the API."""
    found = set()
    for pattern in patterns_of(get_resolver()):
        view = getattr(pattern.callback, "cls", object)
        if issubclass(view, Audited):
            kind = view.audited_model._meta.model_name
            found |= {
                (kind, action)
                for method, action in pattern.callback.actions.items()
                if method.upper() not in SAFE_METHODS and action not in view.not_audited
            }
    return sorted(found)


def patterns_of(resolver):
    for pattern in resolver.url_patterns:
        yield from patterns_of(pattern) if hasattr(pattern, "url_patterns") else [pattern]


@pytest.mark.parametrize("language", ["en", "ko", "ru"])
def test_everything_that_is_audited_is_said_in_words(language):
    actions = audited_actions()
    assert len(actions) > 25

    with translation.override(language):
        said = {(kind, name): verb_label(kind, name) for kind, name in actions}

    assert [one for one, label in said.items() if label == one[1].replace("_", " ")] == []
    if language != "en":
        assert [one for one, label in said.items() if label.isascii()] == []
