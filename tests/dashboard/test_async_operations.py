"""Operations that wait, by Django's own client, whose answers are held to the schema."""

from threading import Barrier

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from dashboard import hub
from events import audit
from events.models import OperatorAction
from tasks import waiting
from tests.console.people import make_person
from tests.factories import make_task

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def _no_connection_is_left():
    yield
    await hub.thread.run(lambda: connection.close())
    await sync_to_async(lambda: connection.close())()
    everybody = Barrier(waiting.THREADS)
    for closed in [waiting.pool.submit(close, everybody) for _ in range(waiting.THREADS)]:
        closed.result()


def close(everybody):
    everybody.wait(10)  # one call in each thread
    connection.close()


@pytest.mark.parametrize("path", ["/v1/stream", "/console/stream"])
async def test_a_stream_begins(async_client, path):
    response = await async_client.get(path)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    response.close()


async def test_changes_are_one_message(async_client):
    response = await async_client.get("/console/changes")

    assert response.json()["cursor"].isdecimal()


async def claim(client, **more):
    named = {} if "channel_id" in more else {"channel": "none"}
    return await client.post(
        "/v1/tasks/claim/wait?wait_seconds=0",
        {"agent_id": "a", **named, **more},
        content_type="application/json",
    )


async def test_a_claim_that_need_not_wait(async_client):
    several, one = await claim(async_client, max_tasks=1), await claim(async_client)

    assert several.json() == {"tasks": []}
    assert (one.status_code, one.json()["error"]["code"]) == (404, "no_tasks")


async def test_a_claim_by_a_process_that_has_been_replaced(async_client):
    for process in ("first", "second"):
        assert (await claim(async_client, incarnation=process)).status_code == 404

    assert (await claim(async_client, incarnation="first")).status_code == 409


async def test_what_a_person_claims_is_audited_in_its_transaction(async_client, monkeypatch):
    task = await sync_to_async(make_task)()
    await async_client.aforce_login(await sync_to_async(make_person)("Operator"))
    asked = {"agent_id": "a", "channel_id": str(task.channel_id), "max_tasks": 1}

    with monkeypatch.context() as lost:
        lost.setattr(audit, "write", refuse_to_be_called)
        with pytest.raises(AssertionError):
            await claim(async_client, **asked)
    answer = await claim(async_client, **asked)

    assert [row["id"] for row in answer.json()["tasks"]] == [str(task.pk)]
    entry = await OperatorAction.objects.aget()
    assert (entry.verb, entry.object_id, entry.actor) == ("claim", str(task.pk), "user:operator")


def refuse_to_be_called(*args):
    raise AssertionError
