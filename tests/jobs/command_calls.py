"""Requests about commands as in seed 001, and a runner that speaks plain /v1."""

import json

from django.test import Client

from tasks.models import Task
from tests.accounts.tokens import client_of, issue
from tests.console.people import make_person

JOBS = "/api/v1/jobs"
QUEUE = "reactorcide-jobs"


def command(**fields):
    """The body of a request for a command."""
    return {"name": "build", "source_type": "none", "job_command": "make"} | fields


class Commands:
    """Sends JSON to /api/v1/jobs as one caller; paths are written without that prefix."""

    def __init__(self, client=None):
        self.client = client or Client()

    def send(self, method, path="", body=None, **headers):
        raw = b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method, f"{JOBS}{path}", raw, "application/json", headers=headers
        )

    def submit(self, key=None, **fields):
        """The answer to a request for a command."""
        headers = {"idempotency-key": key} if key else {}
        return self.send("POST", "", command(**fields), **headers)

    def make(self, **fields):
        """A new command as the answer has it."""
        answer = self.submit(**fields)
        assert answer.status_code == 201, answer.content
        return answer.json()

    def get(self, job_id):
        answer = self.send("GET", f"/{job_id}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    def status(self, job_id):
        return self.get(job_id)["status"]

    def listed(self, **query):
        return self.client.get(JOBS, query)


class Runner:
    """An agent that runs commands; `token`: of the lease that it claimed last."""

    def __init__(self, agent_id="runner-1", client=None, **capabilities):
        self.agent_id = agent_id
        self.client = client or Client()
        self.token = ""
        self.beat(capabilities=capabilities)

    def post(self, path, body, client=None):
        said = json.dumps({"agent_id": self.agent_id} | body)
        return (client or self.client).post(f"/v1/{path}", said, content_type="application/json")

    def beat(self, **body):
        return self.post("agents/heartbeat", body).json()

    def claim(self, queue=QUEUE, **more):
        """The task that it got, or None."""
        answer = self.post("tasks/claim", {"channel": queue, "lease_seconds": 60} | more)
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.content
        task = answer.json()["task"]
        self.token = task["lease_token"]
        return task

    def by_lease(self, task, verb, body=None):
        """A request with the token of the lease."""
        whose = {"lease_epoch": task["lease_epoch"]}
        return self.post(f"tasks/{task['id']}/{verb}", whose | (body or {}), client_of(self.token))

    def exit(self, task, status="completed", **body):
        code = {"completed": 0, "failed": 1}.get(status)
        return self.by_lease(task, "exit", {"status": status, "exit_code": code} | body)


def user(name="User", **fields):
    """Commands of a person of this group."""
    return Commands(client_of(issue(user=make_person(name, **fields), role="admin").secret))


def task_of(job):
    return Task.objects.get(pk=job["task_id"])
