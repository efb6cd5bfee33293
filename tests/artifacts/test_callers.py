"""Who may add to the log and the files of a task, and who may read them."""

import pytest
from django.test import Client

from accounts.models import User
from agents.models import Agent
from artifacts.models import Artifact, LogBatch
from tasks import lease_tokens
from tasks.models import Task
from tests.accounts.tokens import client_of, issue
from tests.artifacts.calls import Runner, body, refusal
from tests.artifacts.test_logs import again
from tests.console.people import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def runner():
    """By the token of its lease, where a token is needed."""
    issue("so that nobody is served without one", agent="nobody")
    runner = Runner(Client())
    runner.client = by_lease(runner)
    return runner


def by_lease(runner):
    return client_of(lease_tokens.of(runner.task.pk, runner.task.lease_epoch))


def added(runner):
    """What adding to log and files is answered."""
    return runner.send("one", sequence=1).status_code, runner.put("a").status_code


def test_the_token_of_the_lease_adds_to_log_and_files(runner):
    assert added(runner) == (200, 201)


def test_it_is_for_its_task_alone(runner):
    other = Runner(runner.client)

    assert added(other) == (403, 403)
    other.task.agent_id = runner.task.agent_id
    assert added(other) == (403, 403)
    assert not LogBatch.objects.exists()
    assert not Artifact.objects.exists()


def test_it_is_for_its_lease_alone(runner):
    again(runner)
    assert added(runner) == (401, 401)  # the token of a lease that is over

    runner.client = by_lease(runner)
    assert runner.send("late", sequence=1, lease_epoch=1).status_code == 403
    assert runner.put("a", lease_epoch=1).status_code == 403
    assert runner.send("late", sequence=1, agent_id="another").status_code == 403
    assert runner.put("a", agent_id="another").status_code == 403
    assert added(runner) == (200, 201)


def test_it_reads_nothing(runner):
    assert added(runner) == (200, 201)

    for path in ("logs", "artifacts", "artifacts/a", "artifacts.zip"):
        assert runner.client.get(f"{runner.path}/{path}").status_code == 403


def test_the_token_of_the_agent_adds_too(runner):
    runner.client = client_of(issue("of the agent", agent=runner.task.agent_id).secret)
    assert added(runner) == (200, 201)

    runner.client = client_of(issue("of another", agent="another").secret)
    assert added(runner) == (403, 403)


def test_users_add_by_agents_of_theirs_and_read_what_is_theirs(runner):
    user, stranger = make_person("User"), User.objects.create_user("stranger")
    stranger.groups.set(user.groups.all())
    Agent.objects.filter(pk=runner.task.agent_id).update(user=user)
    Task.objects.filter(pk=runner.task.pk).update(user=user)
    by_user = client_of(issue("theirs", user=user, role="user").secret)
    by_stranger = client_of(issue("a stranger's", user=stranger, role="user").secret)

    runner.client = by_stranger
    assert added(runner) == (403, 403)
    runner.client = by_user
    assert added(runner) == (200, 201)
    assert body(runner.get("/a")) == b"content"
    assert runner.log().status_code == 200
    for path in ("logs", "logs?follow=1", "artifacts", "artifacts/a", "artifacts.zip"):
        assert refusal(by_stranger.get(f"{runner.path}/{path}"))[0] == 403


def test_a_browser_follows_by_the_token_in_the_query(runner):
    secret = issue("of support", user=make_person("Viewer"), role="support").secret
    added(runner)

    assert Client().get(f"{runner.path}/logs?limit=1&token={secret}").status_code == 200
    assert Client().get(f"{runner.path}/logs?limit=1").status_code == 401
    assert Client().get(f"{runner.path}/artifacts/a?token={secret}").status_code == 401
