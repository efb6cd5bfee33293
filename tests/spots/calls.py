"""Requests of SPOTs as in seed 004, and checks of the answers."""

import json

from accounts import callers
from jobs import forms, transitions
from jobs.models import Job
from tests.jobs.sweeps import ranges

JSON = "application/json; charset=utf-8"
UNKNOWN = "01900000-0000-7000-8000-000000000000"  # an id that nothing has


class Spots:
    """Sends JSON, by default as the SPOT `spot-1`."""

    def __init__(self, client, **headers):
        self.client = client
        self.headers = headers

    def send(self, method, path, body=b"", **more):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.generic(
            method.upper(), path, raw, "application/json", headers=self.headers, **more
        )

    def get(self, path):
        return self.send("get", path)

    def post(self, path, **body):
        return self.send("post", f"/internal/v1{path}", body)

    def hello(self, **body):
        return data(self.post("/hello", **body))["spotId"]

    def beat(self, spot_id="spot-1", **more):
        usual = {"spotId": spot_id, "cpuLoad": 10.5, "runningTasks": 0, "totalCores": 4}
        return self.post("/heartbeat", **usual | more)

    def claim(self, spot_id="spot-1", number=10):
        return data(self.post("/tasks/claim", spotId=spot_id, maxTasks=number))["tasks"]

    def claim_one(self, spot_id="spot-1"):
        """The one task that the SPOT gets; there must be one."""
        [task] = self.claim(spot_id, 1)
        return task

    def complete(self, task, spot_id="spot-1", **more):
        return self.post(f"/tasks/{task['id']}/complete", spotId=spot_id, **more)

    def fail(self, task, spot_id="spot-1", **more):
        return self.post(f"/tasks/{task['id']}/fail", spotId=spot_id, **more)

    def listed(self, spot_id="spot-1"):
        """The SPOT in the list of SPOTs, or None."""
        spots = data(self.get("/api/v1/spots"))["spots"]
        return next((spot for spot in spots if spot["id"] == spot_id), None)


def data(response, status=200):
    """The JSON of an answer, which must have this status."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == JSON
    return response.json()


def refusal(response):
    """Status and message of a refusal, which must be in the form of seed 004."""
    body = data(response, response.status_code)
    assert body.keys() == {"success", "error"}
    assert body["success"] is False
    assert body["error"]
    return response.status_code, body["error"]


def make_sweep(tasks=1, **more):
    """A sweep of that many tasks, queued in the order of `dimension`."""
    sweep = forms.read(ranges(dimension=(1, tasks, 1), **more))
    return transitions.create_sweep(sweep, by=callers.LOCAL)[0]


def counted(job):
    """Status, completed and failed of the job, as they are now."""
    now = Job.objects.counted().get(pk=job.pk)
    return now.counted_status, now.counted_completed, now.counted_failed
