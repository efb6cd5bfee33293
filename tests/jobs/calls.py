"""Requests about sweeps as in seed 004, and comparisons for their tests."""

import json
from urllib.parse import urlencode

from django.db.models import Count, Q

from jobs.models import Job
from tasks.models import Task
from tests.jobs.sweeps import ranges
from tests.spots.calls import data

JOBS = "/api/v1/jobs"


class Sweeps:
    """Sends JSON to /api/v1/jobs; paths are written without that prefix."""

    def __init__(self, client):
        self.client = client

    def post(self, path="", body=b"", **query):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.generic("POST", _path(path, query), raw, "application/json")

    def get(self, path="", headers=None, **query):
        return self.client.get(_path(path, query), headers=headers)

    def make(self, body=None, **more):
        """The id of a new sweep; by default of one task."""
        return data(self.post("", body or ranges(**more)), 201)["jobId"]

    def of(self, tasks, **more):
        """The id of a new sweep of that many tasks, which differ in `dimension`."""
        return self.make(dimension=(1, tasks, 1), **more)

    def job(self, job_id):
        return data(self.get(f"/{job_id}"))

    def counts(self, job_id):
        """Status, completed, failed and cancelled, as clients see them."""
        body = self.job(job_id)
        names = ("status", "completedTasks", "failedTasks", "cancelledTasks")
        return tuple(body[name] for name in names)

    def results(self, job_id, **query):
        return data(self.get(f"/{job_id}/results", **query))["results"]

    def cancel(self, job_id, **body):
        return self.post(f"/{job_id}/cancel", body)

    def retry(self, job_id, **body):
        return self.post(f"/{job_id}/retry", body)


def _path(path, query):
    return f"{JOBS}{path}?{urlencode(query)}" if query else f"{JOBS}{path}"


def row(job_id):
    """The job of this id, with its counts."""
    return Job.objects.counted().get(pk=job_id.removeprefix("job-"))


def assert_counts_are_true(job):
    """The job's counters equal a recount of its tasks."""
    now = Job.objects.counted().get(pk=job.pk)
    counted = {
        "total": now.counted_total,
        "done": now.counted_completed,
        "failed": now.counted_failed,
        "cancelled": now.counted_cancelled,
    }
    assert counted == Task.objects.filter(job=job).aggregate(
        total=Count("pk"),
        done=Count("pk", filter=Q(status="done")),
        failed=Count("pk", filter=Q(status="failed")),
        cancelled=Count("pk", filter=Q(status="cancelled")),
    )


def run(spots, *reports):
    """Claim as many tasks as there are reports and send them: a number is an fopt."""
    tasks = [spots.claim_one() for _ in reports]
    for task, report in zip(tasks, reports, strict=True):
        said_ = report if isinstance(report, dict) else {"fopt": report}
        data(spots.complete(task, **{"runtimeMs": 10, "iter": 5} | said_))
    return tasks
