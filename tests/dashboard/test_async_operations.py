"""Operations that wait, by Django's own client, whose answers are held to the schema."""

from threading import Barrier

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from dashboard import hub
from tasks import waiting

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
    return await client.post(
        "/v1/tasks/claim/wait?wait_seconds=0",
        {"agent_id": "a", "channel": "none", **more},
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
