"""What the token of an agent may do: what that agent does itself, and nothing else."""

import json
from unicodedata import normalize
from uuid import uuid4

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.permissions import BasePermission

from accounts.permissions import MayHaveTokens, ReadOrOperate
from tests.accounts.tokens import client_of, of_agent, of_person
from tests.factories import fresh, make_agent, make_channel, make_job, make_task

pytestmark = pytest.mark.django_db

AGENT = "agent-1"
FOR_AGENTS = {
    ("post", "v1/agents/heartbeat"),
    ("post", "v1/tasks/claim"),
    ("post", "v1/tasks/claim/wait"),
    ("post", "v1/tasks/report"),
    ("post", "v1/tasks/complete"),
    ("post", "v1/tasks/fail"),
    ("post", "v1/tasks/<uuid:task_id>/renew"),
    ("post", "v1/tasks/<uuid:task_id>/release"),
    ("post", "v1/tasks/<uuid:task_id>/secrets"),
    ("post", "v1/tasks/<uuid:task_id>/exit"),
    ("post", "v1/tasks/<uuid:task_id>/logs"),
    ("put", "v1/tasks/<uuid:task_id>/artifacts/<path:path>"),
    ("post", "v1/events"),
    *(
        ("post", f"api/collab/task.{verb}")
        for verb in ("claim", "start", "renew", "progress", "result", "release")
    ),
    ("post", "api/collab/workers/heartbeat"),
    ("post", "internal/v1/hello"),
    ("post", "internal/v1/heartbeat"),
    ("post", "internal/v1/tasks/claim"),
    ("post", "internal/v1/tasks/<task_id>/complete"),
    ("post", "internal/v1/tasks/<task_id>/fail"),
    ("post", "internal/v1/tasks/<task_id>/release"),
}
IN_QUERY = {("put", "v1/tasks/<uuid:task_id>/artifacts/<path:path>")}
"""These name the agent in the query, not in the body: see tests/artifacts."""
PUBLIC = {
    "health",
    "livez",
    "readyz",
    "api/v1/health",
    "api/health",
    "api/collab/health",
    "files/<str:bucket>/<path:path>",  # for whoever has a signed URL
    "v1/auth/register",
    "v1/auth/login",
    "v1/auth/verify",
    "v1/auth/agent-token",
}
FIELDS = {"internal": "spotId", "api/collab/task": "workerId", "api/collab/worker": "agentId"}
"""What names the agent, by the beginning of a path; elsewhere `agent_id` does."""
METHODS = ("get", "post", "put", "patch", "delete")


def endpoints(patterns=None, before=""):
    """Each path of the URL conf that a view of REST framework answers, with that view."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        text = str(pattern.pattern).removeprefix("^").removesuffix("$").removesuffix("/?")
        path = before + text.replace("(?P<", "<").replace(">[^/]+)", ">")
        if isinstance(pattern, URLResolver):
            yield from endpoints(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "cls"):
            yield path, pattern.callback


ENDPOINTS = dict(endpoints())


def filled(path):
    parts = (str(uuid4()) if part.startswith("<uuid") else part for part in path.split("/"))
    return "/" + "/".join("x" if part.startswith("<") else part for part in parts)


def actions_of(view):
    """The methods of a path, each with what `agents_may` calls it."""
    actions = getattr(view, "actions", None)
    return actions or {method: method for method in METHODS if hasattr(view.cls, method)}


def test_views_say_what_is_for_agents_and_say_no_more():
    said = {
        (method, path)
        for path, view in ENDPOINTS.items()
        for method, action in actions_of(view).items()
        if action in getattr(view.cls, "agents_may", {})
    }

    assert said == FOR_AGENTS
    assert len(ENDPOINTS) > 60


def test_every_endpoint_asks_who_may_by_a_permission_that_knows_of_agents():
    """What is public needs no credential; nothing else does without a permission of ours."""
    public = set()
    for path, view in ENDPOINTS.items():
        kinds = view.initkwargs.get("permission_classes", view.cls.permission_classes)
        if not kinds:
            public.add(path)
            continue
        assert all(issubclass(kind, BasePermission) for kind in kinds)
        assert any(issubclass(kind, (ReadOrOperate, MayHaveTokens)) for kind in kinds), path

    assert public == PUBLIC


@pytest.mark.parametrize("path", sorted(ENDPOINTS.keys() - PUBLIC))
def test_an_agent_is_refused_all_that_is_not_for_agents(path):
    agent = client_of(of_agent(AGENT).secret)
    body = json.dumps({"agent_id": AGENT, "spotId": AGENT})

    for method in METHODS:
        if (method, path) in FOR_AGENTS:
            continue
        answer = agent.generic(method.upper(), filled(path), body, content_type="application/json")
        if method not in actions_of(ENDPOINTS[path]) and answer.status_code == 405:
            continue
        if path == "":
            assert answer.status_code == 302  # the page sends whoever may not look to sign in
            assert answer["Location"].startswith("/login")
            continue
        assert answer.status_code == 403, (method, path, answer.content)


OTHERS = [
    {},
    {"agent_id": ""},
    {"agent_id": None},
    {"agent_id": 5},
    {"agent_id": [AGENT]},
    {"agent_id": "agent-2"},
    {"agent_id": "AGENT-1"},
    {"agent_id": "agent-10"},
    {"AGENT_ID": "agent-2"},
    {"agent_id": "agent-2", "Agent_Id": AGENT},
    {"agent_ID": AGENT, "AGENT_id": "agent-2"},
]


@pytest.mark.parametrize("named", OTHERS, ids=str)
@pytest.mark.parametrize(("method", "path"), sorted(FOR_AGENTS - IN_QUERY))
def test_an_agent_speaks_for_no_other(method, path, named):
    agent = client_of(of_agent(AGENT).secret)
    if field := next((FIELDS[start] for start in FIELDS if path.startswith(start)), None):
        named = {name.lower().replace("agent_id", field): named[name] for name in named}
    rest = {"type": "x", "task_id": str(uuid4()), "channel": "c", "outcomes": []}
    query = "?wait_seconds=0" if path.endswith("wait") else ""

    answer = agent.post(
        filled(path) + query, json.dumps(rest | named), content_type="application/json"
    )

    if AGENT in named.values() and len(named) == 1:
        assert answer.status_code != 403
        return
    # Which of two names it means is not guessed.
    assert answer.status_code == (400 if len(named) > 1 else 403), answer.content
    assert f"{AGENT}'" not in answer.content.decode()


def ask(client, path, **body):
    return client.post(f"/v1/{path}", body, content_type="application/json")


def test_an_agent_does_its_work():
    channel = make_channel()
    first, second, third = (make_task(channel) for _ in range(3))
    agent = client_of(of_agent(AGENT).secret)

    assert ask(agent, "agents/heartbeat", agent_id=AGENT).status_code == 200
    claimed = ask(agent, "tasks/claim", agent_id=f" {AGENT} ", channel=channel.name)
    assert claimed.json()["task"]["id"] == str(first.pk)
    held = {"agent_id": AGENT, "lease_epoch": 1}
    assert ask(agent, f"tasks/{first.pk}/renew", **held).status_code == 200
    assert ask(agent, "tasks/complete", task_id=str(first.pk), **held).status_code == 200
    reported = ask(agent, "tasks/report", agent_id=AGENT, claim={"channel": channel.name})
    assert reported.json()["tasks"][0]["id"] == str(second.pk)
    assert ask(agent, "tasks/fail", task_id=str(second.pk), **held).status_code == 200
    ask(agent, "tasks/claim", agent_id=AGENT, channel_id=str(channel.pk))
    assert ask(agent, f"tasks/{third.pk}/release", **held).status_code == 200
    assert ask(agent, "events", agent_id=AGENT, type="x").status_code == 201
    assert (fresh(first).status, fresh(third).status) == ("done", "queued")


def test_a_prefix_is_of_all_agents_whose_ids_begin_so():
    make_channel("c")
    agent = client_of(of_agent("runner-", agent_is_prefix=True).secret)

    for agent_id, status in [
        ("runner-1", 200),
        ("runner-", 200),
        ("runne", 403),
        ("arunner-", 403),
    ]:
        answer = ask(agent, "agents/heartbeat", agent_id=agent_id)

        assert answer.status_code == status, agent_id


def test_a_name_is_the_same_in_either_composition():
    agent = client_of(of_agent(normalize("NFD", "빌드")).secret)

    for form in ("NFC", "NFD"):
        beat = ask(agent, "agents/heartbeat", agent_id=normalize(form, "빌드"))
        assert beat.status_code == 200


@pytest.fixture
def channels():
    return make_channel("Nightly"), make_channel("weekly")


def test_an_agent_claims_from_its_channels_alone(channels):
    nightly, weekly = channels
    make_task(nightly)
    make_task(weekly)
    agent = client_of(of_agent(AGENT, channels=["nightly"]).secret)

    for other in (
        {"channel": "weekly"},
        {"channel_id": str(weekly.pk)},
        {"channels": ["nightly", "weekly"]},
        {"channel_ids": [str(nightly.pk), str(weekly.pk)]},
        {"channel": "no such channel"},
        {"channel_id": str(uuid4())},
        {"Channel": "weekly"},
    ):
        assert ask(agent, "tasks/claim", agent_id=AGENT, **other).status_code == 403, other
        waiting = ask(agent, "tasks/claim/wait?wait_seconds=0", agent_id=AGENT, **other)
        assert waiting.status_code == 403, other
        assert ask(agent, "tasks/report", agent_id=AGENT, claim=other).status_code == 403, other
    claimed = ask(agent, "tasks/claim", agent_id=AGENT, channel="NIGHTLY", max_tasks=5).json()
    assert [task["channel_id"] for task in claimed["tasks"]] == [str(nightly.pk)]
    by_id = ask(agent, "tasks/claim", agent_id=AGENT, channel_id=str(nightly.pk))
    assert (by_id.status_code, by_id.json()["error"]["code"]) == (404, "no_tasks")
    assert ask(agent, "tasks/claim", agent_id=AGENT).status_code == 400


def test_a_spot_works_with_a_token_in_the_header_of_its_key(client, settings):
    make_job(tasks=1)
    secret = of_agent("spot-1").secret
    for key in ("", "the shared key"):
        settings.ORHESTRA_AGENT_KEY = key

        own = spot(client, secret, "heartbeat", cpuLoad=1, runningTasks=0, totalCores=1)
        other = spot(client, secret, "tasks/claim", spotId="spot-2")
        wrong = spot(client, secret[:-1] + "x", "tasks/claim")

        assert own.status_code == 200
        assert (other.status_code, other.json()["success"]) == (403, False)
        assert wrong.status_code == 401
    assert len(spot(client, secret, "tasks/claim").json()["tasks"]) == 1


def test_a_spot_with_channels_claims_only_if_sweeps_are_among_them(client):
    make_job(tasks=1)
    without = of_agent("spot-1", channels=["nightly"]).secret
    with_them = of_agent("spot-1", channels=["sweeps"]).secret

    assert spot(client, without, "tasks/claim").status_code == 403
    assert spot(client, without, "hello").status_code == 200
    assert len(spot(client, with_them, "tasks/claim").json()["tasks"]) == 1


def spot(client, secret, path, **body):
    headers = {"x-orhestra-key": secret}
    body = {"spotId": "spot-1"} | body
    return client.post(
        f"/internal/v1/{path}", body, content_type="application/json", headers=headers
    )


def test_the_header_of_the_key_takes_no_token_of_a_user(client):
    assert spot(client, of_person("Admin").secret, "tasks/claim").status_code == 401


def test_an_agent_of_another_name_is_untouched_by_what_was_refused():
    agent = make_agent("agent-2")
    before = fresh(agent).last_seen_at

    ask(client_of(of_agent(AGENT).secret), "agents/heartbeat", agent_id="agent-2")

    assert fresh(agent).last_seen_at == before
