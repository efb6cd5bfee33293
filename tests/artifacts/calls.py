"""Requests as runners and readers send them."""

import hashlib
import json
from pathlib import Path

from asgiref.sync import async_to_sync

from artifacts.removals import carry_out
from tests.factories import fresh, make_held_task

NOON = "2026-01-31T12:00:00Z"


def entry(message, at=NOON):
    return {"at": at, "message": message}


def files_in(folder):
    """All files of a store in a folder."""
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())


def swept(folder):
    """What the store has after the removals that are due."""
    carry_out()
    return files_in(folder)


class Runner:
    """An agent with a task that it holds."""

    def __init__(self, client, task=None):
        self.client = client
        self.task = task or make_held_task()
        self.sequences = {"stdout": 0, "stderr": 0}

    @property
    def path(self):
        return f"/v1/tasks/{self.task.pk}"

    @property
    def me(self):
        return {"agent_id": self.task.agent_id, "lease_epoch": self.task.lease_epoch}

    def send(self, *entries, stream="stdout", sequence=None, **more):
        """Send a batch, by default the next one; texts are at noon."""
        if sequence is None:
            self.sequences[stream] += 1
            sequence = self.sequences[stream]
        lines = [entry(one) if isinstance(one, str) else one for one in entries]
        body = {**self.me, "stream": stream, "sequence": sequence, "entries": lines, **more}
        return self.client.post(f"{self.path}/logs", json.dumps(body), "application/json")

    def log(self, **query):
        """A page of the log, long enough for all."""
        return self.client.get(f"{self.path}/logs", {"limit": 5_000} | query)

    def put(self, path, content=b"content", *, digest=None, kind="text/plain", **more):
        query = "&".join(f"{name}={value}" for name, value in ({**self.me} | more).items())
        return self.client.put(
            f"{self.path}/artifacts/{path}?{query}",
            content,
            kind,
            headers={"X-Content-SHA256": digest or sha256(content)},
        )

    def get(self, path, query=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(f"{self.path}/artifacts{path}", query, headers=named)

    def now(self):
        """The task as it is now."""
        self.task = fresh(self.task)
        self.sequences = {"stdout": 0, "stderr": 0}
        return self.task


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def body(response):
    """The whole body of an answer, streamed or not."""
    if not response.streaming:
        return response.content

    async def joined():
        return b"".join([part async for part in response.streaming_content])

    return async_to_sync(joined)()


def lines(response):
    assert response.status_code == 200, body(response)
    return json.loads(body(response))


def messages(response):
    return [line["message"] for line in lines(response)]


def refusal(response):
    return response.status_code, response.json()["error"]["code"]
