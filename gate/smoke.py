"""The distributed smoke: worker processes share jobs, and everything is recounted."""

import time

from benchmarks.demo import collab_verdict as verdict
from benchmarks.demo.collab import Collab
from benchmarks.demo.wire import inner, text
from gate.verdicts import Report

WORKERS = ("smoke-1", "smoke-2", "smoke-3")
JOBS = 30
PATIENCE = 60.0
ONE_LIFE = ["queued", "assigned", "started", "succeeded"]


def run(collab: Collab) -> Report:
    """Let the workers do the jobs; each must be done once, as the journal and the counters say."""
    begun = time.monotonic()
    before = collab.metrics()
    for number in range(JOBS):
        collab.assign(f"sum {number}", numbers=list(range(number + 1)))
    for name in WORKERS:
        collab.start(name)
    names = list(collab.jobs)
    collab.until(lambda: all(collab.status(one) == "succeeded" for one in names), "all jobs end")
    jobs = verdict.jobs_of(collab.wire)
    events = verdict.events_of(collab.wire, jobs)
    lives = [verdict.names_of(found) for found in events.values()]
    sums = [
        inner(inner(collab.job(f"sum {number}"), "result"), "result").get("sum")
        for number in range(JOBS)
    ]
    checks = {
        "every job was done once": len(jobs) == JOBS
        and all([name for name in life if name in ONE_LIFE] == ONE_LIFE for life in lives),
        "the sums are right": sums == [sum(range(number + 1)) for number in range(JOBS)],
        "several workers took part": len({text(job, "worker_id") for job in jobs}) > 1,
        "the counters agree with the journal": all(
            verdict.counted_right(before, collab.metrics(), events).values()
        ),
    }
    return {
        "ok": all(checks.values()),
        "jobs": JOBS,
        "workers": len(WORKERS),
        "seconds": round(time.monotonic() - begun, 1),
        "checks": checks,
    }
