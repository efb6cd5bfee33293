"""What there is now, as metrics: agents, chains, what waits and what runs."""

from collections.abc import Iterator

from django.db import connection
from django.utils import timezone
from prometheus_client import Metric

from agents.models import Agent
from agents.querysets import AgentState
from chains.models import ChainStatus
from metrics.counted import channel_names, gauge
from tasks import queue

MOST_WORKERS = 1_000  # pairs of worker and type
MOST_COUNTED = 10_000  # chains of one status, and objects that are to be removed

INFLIGHT = f"""
SELECT agent_id, type, count(*) FROM tasks_task WHERE status = 'in_progress' AND job_id IS NULL
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT {MOST_WORKERS}"""  # noqa: S608
# The order makes it walk the index on status.
CHAINS = f"""
SELECT s.status, (SELECT count(*) FROM (
  SELECT FROM chains_chain c WHERE c.status = s.status ORDER BY c.status, c.id
  LIMIT {MOST_COUNTED}) found)
FROM unnest(%s::text[]) AS s (status)"""  # noqa: S608
REMOVALS = f"""
SELECT count(*) FROM (
  SELECT FROM artifacts_removal WHERE due_at <= now() LIMIT {MOST_COUNTED}) found"""  # noqa: S608


def collect() -> Iterator[Metric]:
    """The metrics of what there is now; each statement reads few rows, however many there are."""
    yield _oldest_waiting()
    states = dict.fromkeys(AgentState.values, 0) | Agent.objects.count_by_state()
    by_state = [((state,), count) for state, count in states.items()]
    yield gauge("coordinator_agents", "Agents by state.", ["state"], by_state)
    capacity = Agent.objects.online_capacity()
    yield gauge("cogo_worker_concurrency", "What online workers can run.", [], [((), capacity)])
    with connection.cursor() as cursor:
        cursor.execute(CHAINS, [ChainStatus.values])
        chains = {(status,): count for status, count in cursor.fetchall()}
        cursor.execute(INFLIGHT)
        inflight = {(worker or "", type_): count for worker, type_, count in cursor.fetchall()}
        cursor.execute(REMOVALS)
        removals = cursor.fetchone()[0]
    yield gauge("coordinator_chains", "Chains by status, up to 10,000.", ["status"], chains.items())
    yield gauge(
        "cogo_worker_inflight_jobs",
        "Jobs in the hands of a worker; of the busiest 1,000.",
        ["worker_id", "job_type"],
        inflight.items(),
    )
    total = sum(inflight.values())
    yield gauge("cogo_jobs_inflight", "Jobs in the hands of these workers.", [], [((), total)])
    yield gauge(
        "coordinator_removals_waiting",
        "Objects that should be gone from the store by now, up to 10,000.",
        [],
        [((), removals)],
    )


def _oldest_waiting() -> Metric:
    names = channel_names()
    now = timezone.now()
    waiting = queue.waiting_since(list(names))
    ages = [
        ((name,), max(0.0, (now - waiting.get(channel, now)).total_seconds()))
        for channel, name in names.items()
    ]
    return gauge(
        "coordinator_oldest_waiting_seconds",
        "For how long the first task of a channel, of any priority, has been claimable.",
        ["channel"],
        ages,
    )
