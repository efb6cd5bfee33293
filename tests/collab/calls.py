"""Requests to /api/collab as its clients send them, and checks of the answers."""

import json
from urllib.parse import urlencode

JSON = "application/json; charset=utf-8"
UNKNOWN = "01900000-0000-7000-8000-000000000000"  # an id that nothing has


class Collab:
    """Sends JSON under /api/collab; paths are written without that prefix."""

    def __init__(self, client, **headers):
        self.client = client
        self.headers = headers

    def send(self, method, path, body=b"", **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.generic(
            method.upper(),
            f"/api/collab{path}",
            raw,
            "application/json",
            headers={**self.headers, **headers},
        )

    def get(self, path, **query):
        return self.send("get", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path, **body):
        return self.send("post", path, body)

    def assign(self, executor="builds", type_="build", **more):
        """The id of a new job."""
        body = {"type": type_, "executorId": executor, **more}
        return data(self.post("/task.assign", **body))["jobId"]

    def claim(self, worker="worker-1", executor="builds", **more):
        """The job that the worker gets, or None."""
        body = {"executorId": executor, "workerId": worker, **more}
        return data(self.post("/task.claim", **body))["job"]

    def held(self, worker="worker-1", executor="builds", **more):
        """A new job that the worker has claimed."""
        self.assign(executor, **more)
        return self.claim(worker, executor)

    def result(self, job, ok=True, **more):
        body = {"jobId": job["id"], "type": job["type"], "ok": ok}
        return self.post("/task.result", **body | more)

    def by_worker(self, verb, job, worker="worker-1", **more):
        return self.post(f"/task.{verb}", jobId=job["id"], workerId=worker, **more)

    def job(self, job_id):
        """The job as it is now."""
        return data(self.get(f"/job/{job_id}"))

    def events(self, job_id):
        """The events of the job, by their names, in order."""
        items = data(self.get(f"/events/by-job/{job_id}"))["items"]
        return [event["event_type"] for event in items]

    def recent(self, **query):
        return data(self.get("/jobs/recent", **query))


def data(response, status=200):
    """The body of an answer that must have this status."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == JSON
    return response.json()


def refusal(response):
    """Status and code of an error, whose body must have the form of seed 003."""
    assert response["Content-Type"] == JSON
    body = response.json()
    assert body.keys() == {"error", "details", "code", "hint"}, body
    assert body["error"]
    return response.status_code, body["code"]
