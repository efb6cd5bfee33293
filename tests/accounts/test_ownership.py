"""Users see and steer what is theirs or nobody's (docs/permissions.md)."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.callers import of_user
from accounts.models import User
from accounts.permissions import AnotherChannel
from agents.models import Agent, NotificationType, Protocol
from chains import resets
from chains.models import Chain
from jobs.models import Job
from tasks import views
from tasks.models import Channel, Task
from tasks.serializers import ClaimRequestSerializer
from tests.accounts.tokens import client_of, issue
from tests.console.people import browser_of, make_person
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    make_tasks,
)
from tests.jobs.sweeps import ranges

pytestmark = pytest.mark.django_db

NOT_YOURS = (403, "not_allowed")


@pytest.fixture
def user():
    return make_person("User")


@pytest.fixture
def other(user):
    other = User.objects.create_user("other")
    other.groups.set(user.groups.all())
    return other


@pytest.fixture
def us(user):
    return client_of(issue(user=user).secret)


@pytest.fixture
def them(other):
    return client_of(issue(user=other).secret)


@pytest.fixture
def operators():
    return client_of(issue(user=make_person("Operator")).secret)


def post(client, path, **body):
    return client.post(path, body, content_type="application/json")


def refusal(answer):
    body = answer.json()
    code = body["error"]["code"] if isinstance(body["error"], dict) else body.get("code", "")
    return answer.status_code, code


def listed(client, path, key, **query):
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content
    return {str(row.get("id") or row.get("jobId") or row["spotId"]) for row in answer.json()[key]}


def give_to(user, *rows):
    for row in rows:
        type(row).objects.filter(pk=row.pk).update(user=user)


LISTS = {
    "/v1/channels": ("channels", make_channel),
    "/v1/chains": ("chains", make_chain),
    "/v1/tasks": ("tasks", make_task),
    "/v1/agents": ("agents", make_agent),
    "/api/v1/jobs": ("jobs", lambda: make_job(tasks=1)),
    "/api/v1/spots": ("spots", lambda: make_agent(protocol=Protocol.SPOT)),
}


def key_of(row):
    return row.public_id if isinstance(row, Job) else str(row.pk)


@pytest.mark.parametrize("path", LISTS)
def test_a_list_has_what_is_theirs_and_nobodys(us, operators, user, other, path):
    key, make = LISTS[path]
    ours, others, nobodys = make(), make(), make()
    give_to(user, ours)
    give_to(other, others)

    seen = listed(us, path, key)

    assert {key_of(ours), key_of(nobodys)} <= seen
    assert key_of(others) not in seen
    assert key_of(others) in listed(operators, path, key)


@pytest.mark.parametrize("query", [{}, {"status": "queued"}])
def test_a_list_looks_through_those_of_others_without_end(us, user, other, monkeypatch, query):
    monkeypatch.setattr("api.pagination.LOOKS", (2, 5))
    first, *middle, last = make_tasks(20)
    give_to(other, *middle)
    give_to(user, first, last)

    seen, cursor = [], ""
    while cursor is not None:
        page = us.get("/v1/tasks", {"cursor": cursor, "limit": 1, **query}).json()
        seen += [row["id"] for row in page["tasks"]]
        cursor = page.get("next_cursor")

    assert seen == [str(first.pk), str(last.pk)]


def test_jobs_by_offset_are_counted_as_they_are_seen(us, user, other):
    jobs = [make_job(tasks=1) for _ in range(3)]
    give_to(other, jobs[0])
    give_to(user, jobs[1])

    page = us.get("/api/v1/jobs", {"offset": "0"}).json()

    assert page["total"] == 2


def test_what_a_user_makes_is_theirs(us, user):
    channel = post(us, "/v1/channels", name="ours").json()["channel"]
    chain = post(us, "/v1/chains", name="ours", channel_id=channel["id"]).json()["chain"]
    post(us, "/v1/tasks", title="a", channel_id=channel["id"])
    post(us, "/v1/tasks", title="b", channel_id=channel["id"], chain_id=chain["id"])
    post(us, "/v1/agents/request-session", channel_id=channel["id"])
    assert post(us, "/api/v1/jobs", **ranges()).status_code == 201

    for model in (Chain, Task, Job):
        assert set(model.objects.values_list("user", flat=True)) == {user.pk}, model
    assert Channel.objects.get(pk=channel["id"]).user == user
    assert Channel.objects.get(name="sweeps").user is None


def test_what_is_put_into_something_is_of_whom_that_is(us, operators, user):
    ours, all_ = make_channel(), make_channel()
    give_to(user, ours)
    chain = make_chain(all_)

    into_ours = post(operators, "/v1/tasks", title="a", channel_id=str(ours.pk)).json()["task"]
    into_chain = post(
        us, "/v1/tasks", title="b", channel_id=str(all_.pk), chain_id=str(chain.pk)
    ).json()["task"]
    alone = post(us, "/v1/tasks", title="c", channel_id=str(all_.pk)).json()["task"]

    assert into_ours["user_id"] == alone["user_id"] == str(user.pk)
    assert "user_id" not in into_chain


def test_a_channel_that_an_operator_makes_is_for_all(us, operators):
    channel = post(operators, "/v1/channels", name="for all").json()["channel"]

    assert "user_id" not in channel
    assert post(us, "/v1/tasks", title="a", channel_id=channel["id"]).status_code == 201
    assert us.get("/v1/channels/by-name/for%20all").status_code == 200


def test_a_name_of_an_agent_is_of_who_uses_it_first(us, them, user):
    assert post(us, "/v1/agents/heartbeat", agent_id="ours").status_code == 200

    assert Agent.objects.get(pk="ours").user == user
    for path, body in (
        ("/v1/agents/heartbeat", {}),
        ("/v1/tasks/claim", {"channel": "any"}),
        ("/v1/events", {"type": "x"}),
        ("/v1/tasks/inputs/claim", {"task_id": str(make_task().pk)}),
    ):
        assert refusal(post(them, path, agent_id="ours", **body)) == NOT_YOURS, path
    assert post(them, "/internal/v1/hello", spotId="ours").status_code == 403


def test_an_agent_without_an_id_gets_one_that_is_theirs(us, user):
    made = post(us, "/v1/agents/heartbeat").json()["agent"]["id"]
    spot = post(us, "/internal/v1/hello").json()["spotId"]

    assert {agent.user for agent in Agent.objects.filter(pk__in=[made, spot])} == {user}
    assert fresh(Agent.objects.get(pk=spot)).protocol == Protocol.SPOT
    beat = {"cpuLoad": 1, "runningTasks": 0, "totalCores": 1}
    assert post(us, "/internal/v1/heartbeat", spotId=spot, **beat).status_code == 200


@pytest.mark.parametrize("bad", [5, "", None, "x" * 201, "a\0b", [], {}])
def test_an_id_that_is_none_makes_no_agent(us, bad):
    for path, more in (("/v1/agents/heartbeat", {}), ("/v1/tasks/claim", {"channel": "any"})):
        if path.endswith("heartbeat") and bad in ("", None):
            continue
        assert post(us, path, agent_id=bad, **more).status_code in {400, 403}

    assert not Agent.objects.exists()


def test_users_steer_no_agent_of_nobody(us):
    agent = make_agent()

    assert us.get(f"/v1/agents/{agent.pk}").status_code == 200
    assert refusal(post(us, f"/v1/agents/{agent.pk}/drain")) == NOT_YOURS
    assert refusal(post(us, "/v1/agents/heartbeat", agent_id=agent.pk)) == NOT_YOURS
    assert not fresh(agent).draining


def test_nobody_reports_on_what_another_users_agent_has(them, other, user):
    channel = make_channel()
    agent = make_agent()
    give_to(user, agent)
    task = make_held_task(agent, channel=channel)
    body = {"task_id": str(task.pk), "reason": "x"}

    for path in ("/v1/tasks/complete", "/v1/tasks/fail"):
        assert post(them, path, **body).status_code == 403
        assert post(them, path, agent_id=agent.pk, **body).status_code == 403
        assert post(them, path, agent_id="theirs", **body).status_code == 409
    assert fresh(task).status == "in_progress"


def test_claims_go_by_channel(us, them, user):
    channel, private = make_channel("for all"), make_channel("ours")
    give_to(user, private)
    post(us, "/v1/tasks", title="a", channel="for all")
    post(us, "/v1/tasks", title="b", channel="ours")

    got = post(them, "/v1/tasks/claim", agent_id="theirs", channel="for all").json()["task"]
    ended = post(them, "/v1/tasks/complete", agent_id="theirs", task_id=got["id"])

    assert ended.status_code == 200
    for where in (
        {"channel": "OURS"},
        {"channels": ["for all", "ours"]},
        {"channel_id": str(private.pk)},
    ):
        claim = {"agent_id": "theirs", **where}
        assert refusal(post(them, "/v1/tasks/claim", **claim)) == NOT_YOURS
        report = post(them, "/v1/tasks/report", agent_id="theirs", claim=where)
        assert refusal(report) == NOT_YOURS
    assert channel.pk != private.pk


def test_a_name_that_becomes_anothers_channel_is_not_claimed_from(user, other):
    """A waiting claim looks again and again, at names that somebody may take meanwhile."""
    values = ClaimRequestSerializer.read({"agent_id": "theirs", "channels": ["late", "for all"]})
    waiting = of_user(other)
    assert views.claim(values | {"max_tasks": 1}, waiting) == []
    open_to_all, late = make_channel("for all"), make_channel("late")
    task = make_task(open_to_all)
    assert [one.id for one in views.claim(values, waiting)] == [task.pk]

    give_to(user, late)
    make_task(late)

    with pytest.raises(AnotherChannel):
        views.claim(values, waiting)


@pytest.mark.parametrize("name", ["sweeps", "Sweeps"])
def test_no_user_has_the_channel_of_all_sweeps(us, operators, name):
    assert post(us, "/v1/channels", name=name).status_code == 409

    assert post(us, "/api/v1/jobs", **ranges()).status_code == 201
    assert Channel.objects.get().user is None
    assert post(operators, "/v1/channels", name=name).status_code == 409


def test_users_give_no_work_to_agents_of_nobody(us, user):
    channel = make_channel()
    agent = make_agent(subscriptions=(channel.name,))
    task, chain = make_task(channel), make_chain(channel, tasks=1)
    give_to(user, channel, task, chain)

    for path, body in (
        ("/v1/tasks/assign", {"task_id": str(task.pk)}),
        (f"/v1/chains/{chain.pk}/assign-agent", {}),
        ("/v1/notifications/dismiss", {"type": NotificationType.values[0]}),
    ):
        assert refusal(post(us, path, agent_id=agent.pk, **body)) == NOT_YOURS, path
    assert fresh(task).status == "queued"


def test_users_say_nothing_of_tasks_of_others(us, them, user):
    channel = make_channel("for all")
    task = make_task(channel)
    give_to(user, task)
    event = {"agent_id": "theirs", "type": "task.done", "task_id": str(task.pk)}

    assert refusal(post(them, "/v1/events", **event)) == NOT_YOURS
    assert post(us, "/v1/events", **event | {"agent_id": "ours"}).status_code == 201
    assert post(them, "/v1/events", **event | {"task_id": "elsewhere"}).status_code == 201

    post(them, "/v1/tasks/claim", agent_id="theirs", channel="for all")
    assert post(them, "/v1/events", **event).status_code == 201


def test_who_takes_the_id_of_a_removed_agent_reports_on_nothing_of_it(us, them, operators):
    make_channel("for all")
    post(us, "/v1/tasks", title="secret", channel="for all")
    post(operators, "/v1/agents/heartbeat", agent_id="late")
    task = post(operators, "/v1/tasks/claim", agent_id="late", channel="for all").json()["task"]
    resets.remove_agent("late", by="tests", reason="old")
    Agent.objects.create(id="late", user=User.objects.get(username="other"))
    after = Task.objects.get(pk=task["id"]).bad_attempts.get().started_at + timedelta(seconds=1)
    Agent.objects.filter(pk="late").update(created_at=after)
    report = {"agent_id": "late", "task_id": task["id"], "result": {"forged": True}}

    for body in (report, report | {"lease_epoch": task["lease_epoch"]}):
        answer = post(them, "/v1/tasks/complete", **body)
        assert (answer.status_code, "secret" in answer.content.decode()) == (409, False)
        failed = post(them, "/v1/tasks/fail", agent_id="late", task_id=task["id"], reason="x")
        assert (failed.status_code, "secret" in failed.content.decode()) == (409, False)
    assert Task.objects.get().status == "queued"


def test_an_agent_lets_go_of_a_chain_of_another_user(us, them, user, other):
    channel = make_channel("for all")
    chain = make_chain(channel, tasks=1)
    give_to(user, chain, *Task.objects.filter(chain=chain))
    post(them, "/v1/agents/heartbeat", agent_id="theirs")
    post(them, "/v1/tasks/claim", agent_id="theirs", channel="for all")

    assert them.get(f"/v1/chains/{chain.pk}").status_code == 403
    assert post(them, f"/v1/chains/{chain.pk}/detach", agent_id="theirs").status_code == 200
    assert post(them, f"/v1/chains/{chain.pk}/detach", agent_id="theirs").status_code == 403


@pytest.mark.parametrize("what", ["current-task", "chain"])
def test_an_agent_of_nobody_shows_no_work_of_another_user(us, them, operators, user, what):
    channel = make_channel()
    agent = make_agent(subscriptions=(channel.name,))
    chain = make_chain(channel, tasks=1)
    give_to(user, chain, *Task.objects.filter(chain=chain))
    give(agent, channel)
    path = f"/v1/agents/{agent.pk}/{what}"
    held = str(Task.objects.get(chain=chain).pk)

    assert us.get(f"/v1/agents/{agent.pk}").json()["agent"]["current_task_id"] == held
    assert held not in them.get(f"/v1/agents/{agent.pk}").content.decode()
    assert held not in them.get("/v1/agents").content.decode()
    assert us.get(path).status_code == operators.get(path).status_code == 200
    assert refusal(them.get(path)) == NOT_YOURS


def test_a_key_that_another_user_has_used_shows_nothing(us, them):
    channel = str(make_channel().pk)
    body = {"title": "a", "channel_id": channel, "idempotency_key": "k"}
    assert post(us, "/v1/tasks", **body).status_code == 201

    assert refusal(post(them, "/v1/tasks", **body)) == NOT_YOURS
    several = [{"title": "b", "channel_id": channel}, body]
    assert them.post("/v1/tasks", several, "application/json").status_code == 403
    assert Task.objects.count() == 1

    sweep = ranges(idempotencyKey="k")
    assert post(us, "/api/v1/jobs", **sweep).status_code == 201
    assert post(them, "/api/v1/jobs", **sweep).status_code == 201
    assert post(us, "/api/v1/jobs", **sweep).status_code == 200
    assert post(them, "/api/v1/jobs", **sweep).status_code == 200
    assert Job.objects.count() == 2


def test_dead_letters_of_others_stay(us, user, other):
    from tests.factories import fail_at_once

    ours, theirs = make_tasks(2)
    give_to(user, ours)
    give_to(other, theirs)
    fail_at_once(Task.objects.all())

    by_id = post(us, "/v1/dead-letters/purge", ids=[str(ours.pk), str(theirs.pk)], reason="x")
    assert refusal(by_id) == NOT_YOURS
    by_filter = post(us, "/v1/dead-letters/purge", filter={}, all=True, reason="x")
    assert by_filter.json() == {"purged": 1, "refused": []}
    assert list(Task.objects.all()) == [theirs]


def test_a_path_at_which_there_is_nothing_is_none(us):
    for path in ("/v1/nothing", "/api/v1/nothing", "/console/nothing"):
        assert us.get(path).status_code == 404
        assert us.post(path).status_code == 404


def test_in_the_console_a_user_finds_their_tokens_and_nothing_else(user, other):
    issue("theirs", user=other)
    task = make_task()
    browser = browser_of("User")

    assert browser.get("/").headers["Location"] == reverse("admin:index")
    index = browser.get(reverse("admin:index"))
    assert index.status_code == 200
    assert reverse("admin:accounts_apitoken_changelist") in index.text
    assert reverse("admin:tasks_task_changelist") not in index.text
    assert browser.get(reverse("admin:tasks_task_change", args=[task.pk])).status_code == 403
    assert browser.get(reverse("admin:tasks_task_changelist")).status_code == 403
    tokens = browser.get(reverse("admin:accounts_apitoken_changelist"))
    assert tokens.status_code == 200
    assert "theirs" not in tokens.text


@pytest.mark.parametrize(
    "path", ["/v1/tasks", "/v1/agents", "/api/v1/jobs", "/api/v1/parameter-schema", "/api/schema/"]
)
def test_a_user_may_ask_for_the_head_of_what_they_may_read(us, path):
    assert us.get(path).status_code == us.head(path).status_code == 200


def test_a_method_that_is_none_is_so_for_everybody(us, operators):
    agents = client_of(issue(user=None, agent="a").secret)

    for client in (us, operators, agents):
        answer = client.put("/v1/tasks", {}, "application/json")
        assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, POST")


def test_who_has_work_is_not_deleted(user, other):
    give_to(user, make_channel())
    browser = browser_of("Admin")

    for person, stays in ((user, True), (other, False)):
        path = reverse("admin:accounts_user_delete", args=[person.pk])
        page = browser.post(path, {"post": "yes"}, follow=True)
        assert ("Make the user inactive instead" in page.content.decode()) == stays
        assert User.objects.filter(pk=person.pk).exists() == stays
