"""Requests to /v1 as its clients send them, and checks of the answers."""

import json
from urllib.parse import quote, urlencode

JSON = "application/json; charset=utf-8"
UNKNOWN = "01900000-0000-7000-8000-000000000000"  # an id that nothing has


class Api:
    """Sends JSON under /v1; paths are written without that prefix."""

    def __init__(self, client):
        self.client = client

    def send(self, method, path, body=b""):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        # Django's client decodes a path whole; a server leaves what would end a segment.
        path = path.replace("%25", "%2525").replace("%2F", "%252F")
        return self.client.generic(method.upper(), f"/v1{path}", raw, "application/json")

    def get(self, path, **query):
        return self.send("get", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path, **body):
        return self.send("post", path, body)

    def patch(self, path, **body):
        return self.send("patch", path, body)

    def put(self, path, **body):
        return self.send("put", path, body)

    def delete(self, path):
        return self.send("delete", path)

    def channel(self, name="work"):
        return data(self.post("/channels", name=name), 201)["channel"]

    def chain(self, channel, name="chain", **more):
        body = data(self.post("/chains", channel_id=channel["id"], name=name, **more), 201)
        return body["chain"]

    def task(self, channel=None, title="task", **more):
        where = {"channel_id": channel["id"]} if channel else {}
        return data(self.post("/tasks", title=title, **where, **more), 201)["task"]

    def session_request(self, channel):
        body = data(self.post("/agents/request-session", channel_id=channel["id"]), 201)
        return body["task"]

    def beat(self, agent_id, **more):
        return data(self.post("/agents/heartbeat", agent_id=agent_id, **more))

    def claim(self, agent_id, channel, **more):
        """The one task that the agent gets; there must be one."""
        body = data(self.post("/tasks/claim", agent_id=agent_id, channel=channel["name"], **more))
        return body["task"]

    def complete(self, task, **more):
        return self.post("/tasks/complete", task_id=task["id"], **more)

    def fail(self, task, **more):
        return self.post("/tasks/fail", task_id=task["id"], **more)

    def assign(self, task, agent_id):
        return self.post("/tasks/assign", task_id=task["id"], agent_id=agent_id)

    def detach(self, chain_id, agent_id):
        return self.post(f"/chains/{chain_id}/detach", agent_id=agent_id)

    def status(self, task, status):
        return self.post(f"/tasks/{task['id']}/status", status=status)

    def agent(self, agent_id):
        return data(self.get(f"/agents/{quote(agent_id, safe='')}"))["agent"]

    def fresh(self, task):
        """The task as it is now."""
        return data(self.get(f"/tasks/{task['id']}"))["task"]

    def fresh_chain(self, chain_id):
        return data(self.get(f"/chains/{chain_id}"))["chain"]


def data(response, status=200):
    """The JSON of an answer, which must have this status."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == JSON
    assert response.content.endswith(b"\n")
    return response.json()


def refusal(response):
    """Status and code of a refusal, which must be in the form of /v1 and have a message."""
    assert 400 <= response.status_code < 500, response.content
    body = data(response, response.status_code)
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message"}
    assert body["error"]["message"]
    return response.status_code, body["error"]["code"]


def message(response):
    """The message of a refusal."""
    refusal(response)
    return response.json()["error"]["message"]
