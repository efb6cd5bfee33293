import pytest
from django.contrib.auth.models import Permission
from django.forms import model_to_dict
from django.test import Client
from django.utils import timezone

from accounts.models import User
from dashboard.acts import KINDS
from events.models import OperatorAction
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


def post(path, client=None, **body):
    return (client or Client()).post(path, body, content_type="application/json")


def person(*rights):
    user = User.objects.create_user("-".join(rights) or "nobody")
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def test_a_preview_changes_nothing():
    task = make_task()

    answer = post("/console/tasks/cancel", ids=[str(task.pk)], preview=True)

    assert answer.status_code == 200
    assert answer.json()["will"]
    assert fresh(task).status == "queued"
    assert not OperatorAction.objects.exists()


def test_a_verb_is_applied_and_audited_with_its_reason():
    task, gone = make_task(), "0" * 32

    answer = post("/console/tasks/cancel", ids=[str(task.pk), gone], reason="not needed")

    assert answer.json() == {
        "done": 1,
        "refused": [{"id": gone, "code": "not_found", "message": "It is not there any more."}],
    }
    assert fresh(task).status == "cancelled"
    written = OperatorAction.objects.get()
    assert (written.verb, written.reason) == ("cancel", "not needed")


@pytest.mark.parametrize(
    ("path", "make", "change"),
    [
        ("tasks/put_back", make_held_task, {"agent_id": "agent-2"}),
        ("tasks/cancel", make_task, {"agent_id": "agent-2", "status": "in_progress"}),
        ("tasks/prioritize", make_task, {"priority": 5}),
        ("channels/pause", make_channel, {"paused_at": timezone.now()}),
        ("chains/release", lambda: make_chain(tasks=2), {"owner_id": "agent-2"}),
        ("agents/drain", make_agent, {"subscriptions": ["other"]}),
        ("jobs/cancel", lambda: make_job(tasks=1), {"cancel_asked_at": timezone.now()}),
    ],
)
def test_what_has_changed_since_the_preview_is_left_as_it_is(path, make, change):
    row = make()
    make_agent("agent-2")
    asked = {"ids": [getattr(row, "public_id", str(row.pk))], "values": {"priority": 7}}
    seen = post(f"/console/{path}", **asked, preview=True).json()["seen"]
    type(row).objects.filter(pk=row.pk).update(**change)
    before = model_to_dict(fresh(row))

    [refusal] = post(f"/console/{path}", **asked, reason="x", seen=seen).json()["refused"]

    assert refusal["code"] == "changed_since"
    assert model_to_dict(fresh(row)) == before
    again = post(f"/console/{path}", **asked, preview=True).json()
    answer = post(f"/console/{path}", **asked, reason="x", seen=again["seen"]).json()
    assert answer["done"] == again["done"]
    assert [one["code"] for one in answer["refused"]] == [one["code"] for one in again["refused"]]


def test_each_refused_row_is_in_the_response():
    chain, unlocked = make_chain(tasks=1), make_chain(tasks=1)
    ids = [str(chain.pk), str(unlocked.pk)]

    answer = post("/console/chains/unlock_to_done", ids=ids, reason="it is done")

    assert answer.json()["done"] == 0
    assert {row["id"] for row in answer.json()["refused"]} == set(ids)
    assert all(row["code"] and row["message"] for row in answer.json()["refused"])


def test_a_verb_may_need_values_beside_the_reason():
    task = make_task()

    wrong = post(
        "/console/tasks/prioritize", ids=[str(task.pk)], reason="x", values={"priority": "high"}
    )
    right = post(
        "/console/tasks/prioritize", ids=[str(task.pk)], reason="x", values={"priority": 7}
    )

    assert wrong.status_code == 400
    assert wrong.json()["error"]["code"] == "bad_values"
    assert right.json() == {"done": 1, "refused": []}
    assert fresh(task).priority == 7


def test_channels_agents_and_jobs_have_verbs_too():
    channel, agent, job = make_channel(), make_agent("agent-1"), make_job(tasks=1)

    for path, key in [
        ("/console/channels/pause", str(channel.pk)),
        ("/console/agents/drain", agent.pk),
        ("/console/jobs/cancel", job.public_id),
    ]:
        assert post(path, ids=[key], reason="maintenance").json() == {"done": 1, "refused": []}

    assert fresh(channel).paused_at
    assert fresh(agent).draining


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/console/tasks/explode", {"ids": ["x"], "reason": "x"}, 404),
        ("/console/stars/cancel", {"ids": ["x"], "reason": "x"}, 404),
        ("/console/tasks/cancel", {"ids": [], "reason": "x"}, 400),
        ("/console/tasks/cancel", {"ids": ["x"] * 10_001, "reason": "x"}, 400),
        ("/console/tasks/cancel", {"ids": "x", "reason": "x"}, 400),
        ("/console/tasks/cancel", {"ids": ["x"], "reason": " "}, 400),
        ("/console/tasks/cancel", {"ids": ["x"], "reason": "x", "values": []}, 400),
    ],
)
def test_an_invalid_request_is_refused(path, body, status):
    assert post(path, **body).status_code == status


def test_a_viewer_may_not_apply_a_verb():
    task = make_task()

    answer = post(
        "/console/tasks/cancel", person("view_console"), ids=[str(task.pk)], reason="why not"
    )

    assert answer.status_code == 403
    assert fresh(task).status == "queued"


def test_an_operator_may_not_apply_a_verb_of_administrators():
    agent = make_agent("agent-1")
    operator = person("view_console", "operate")

    answer = post("/console/agents/retire", operator, ids=[agent.pk], reason="old")

    assert answer.status_code == 403
    offered = {row["name"]: row for row in operator.get("/console/verbs").json()["agents"]}
    assert offered["retire"]["allowed"] is False
    assert offered["drain"]["allowed"] is True


def test_the_verbs_are_listed_with_their_fields():
    listed = Client().get("/console/verbs").json()

    assert {kind: [row["name"] for row in some] for kind, some in listed.items()} == {
        kind: [verb.name for verb in offered.verbs] for kind, offered in KINDS.items()
    }
    asked = {row["name"]: row["fields"] for row in listed["tasks"]}
    assert asked["prioritize"][0]["type"] == "number"
    assert asked["reassign"][0]["type"] == "agent"
    assert {row["name"]: row["fields"] for row in listed["chains"]}["change_on_failure"][0][
        "choices"
    ]
