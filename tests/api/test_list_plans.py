"""Every list, by every filter and by every two of them, reads a bounded part of a large table."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from django.db import connection
from django.test import Client

from api import pagination
from api.fields import NOBODY
from api.viewsets import ListViewSet
from benchmarks import lists
from chains.models import Chain
from collab.states import JobStatus
from jobs.models import Job
from tasks.models import Task
from tests.endpoints import paths
from tests.tasks.plans import rows_read

pytestmark = pytest.mark.django_db

TASKS = 20_000
LOOKS = (50, 500)
MOST_ROWS = 5 * LOOKS[-1]
LARGE = {"tasks_task", "events_event"}

# What answers GET and is no list of the API, with the most rows that a statement of it reads.
OTHERS = {
    "console/overview": 11_000,  # counts so many tasks of a status
    "console/board": 11_000,  # the column of what is done looks through 5,000, by two indexes
    "console/tasks": 11_000,
    "console/chains/<uuid:chain_id>": 100,
    "console/chains/<uuid:chain_id>/tasks": 100,
    "console/jobs": 100,
    "console/jobs/<str:job_id>/plot": 1_000,
    "console/tasks/<uuid:task_id>/surroundings": 100,
    "console/agents/<name:agent_id>/work": 1_000,  # looks through so many of its events
    "console/find": 11_000,  # looks through the latest 10,000 tasks
    "console/usage": 0,
    "console/series": 100,
    "console/tables/tasks/ids": 11_000,
    "console/tables/agents": 13_000,  # the latest events of each of 200 agents
    "console/tables/dead-letters": 11_000,
    "console/tables/dead-letters/rows": 11_000,
    "console/tables/dead-letters/ids": 11_000,
    "console/tables/actions": 0,
    "console/tables/actions/<str:use_id>": 0,
    "console/verbs": 0,
    "v1/dashboard": 11_000,
    "api/v1/parameter-schema": 0,
    "api/v1/tokens": 0,
    "api/v1/queues": 11_000,  # counts so many waiting tasks of a queue
    "api/v1/jobs/<job_id>": 1_000,
    "api/v1/jobs/<job_id>/results": 1_000,
    "api/v1/jobs/<job_id>/best": 1_000,
    "api/v1/jobs/<job_id>/statistics": 1_000,
    "v1/chains/<uuid:chain_id>": 0,
    "v1/agents/<name:agent_id>/chain": 0,
    "v1/agents/<name:agent_id>/current-task": 500,
    "v1/agents/<name:agent_id>": 500,
    "v1/agents/heartbeat": 500,
    "v1/agents/request-session": 500,
    "v1/tasks/<uuid:task_id>/why": 2_000,
    "v1/tasks/<uuid:task_id>": 100,
    "v1/tasks/<uuid:task_id>/logs": 100,
    "api/v1/jobs/<str:job_id>/logs": 0,
    "api/v1/jobs/<str:job_id>/artifacts": 0,
    "api/v1/jobs/<str:job_id>/artifacts.zip": 0,
    "api/v1/jobs/<str:job_id>/artifacts/<path:path>": 0,
    "v1/tasks/<uuid:task_id>/artifacts": 100,
    "v1/tasks/<uuid:task_id>/artifacts.zip": 100,
    "v1/tasks/<uuid:task_id>/artifacts/<path:path>": 100,
    "v1/channels/by-name/<name:name>": 0,
    "api/collab/job/<uuid:job_id>": 100,
    "api/collab/job/<uuid:job_id>/summary": 500,
    "api/collab/artifacts/by-job/<uuid:job_id>": 100,
    "api/collab/events/by-job/<uuid:job_id>": 500,
    "api/collab/metrics/overview": 11_000,  # counts so many tasks of a status
    "api/collab/workers/active": 500,
    "functions/v1/metrics-overview": 11_000,  # the same
    "functions/v1/workers-active": 500,
    "functions/v1/job-status": 100,
    "functions/v1/artifacts-list": 100,
    "functions/v1/sign-artifact": 100,
    "functions/v1/dlq-list": 500,
    "functions/v1/leases-release": 500,
    "functions/v1/key-vault/get": 0,
    "api/search/docs": 0,
    "api/search/code": 0,
}
WAITING = {
    "console/stream",
    "console/changes",
    "v1/stream",
    "functions/v1/job-events",
    "api/collab/events/stream",
}
HEALTH = {"api/v1/health", "api/collab/health"}
SIGN_IN = {"v1/auth/verify"}

NOW = datetime.now(UTC)
TIMES = [(NOW + timedelta(days=days)).isoformat() for days in (-30, -19, -1, 1)]
VALUES = {
    "status": ["queued", "in_progress", "done", "failed", "locked", "cancelled", "COMPLETED", "x"],
    "channel_id": ["{channel}", str(NOBODY)],
    "chain_id": ["{chain}", str(NOBODY)],
    "agent_id": ["list-agent-7", "nobody"],
    "job_id": ["{job}", str(NOBODY)],
    "task_id": ["{task}", str(NOBODY)],
    "type": ["task.completed", "task.queued", "chain.deleted", "request_claude_session"],
    "source": ["coordinator", "agent"],
    "reason": ["exhausted", "unsupported"],
    "online": ["true", "false"],
    "dead_letter": ["exhausted", "x"],
    "text": ["task 17", "nothing like it", "{task}"],
    "kind": ["sweep", "command"],
    "queue_name": ["list-queue", "none"],
    "source_type": ["git", "none"],
    "user_id": [str(NOBODY)],
    "name": ["sweep 7", "no sweep"],
    "created_after": TIMES,
    "created_before": TIMES,
    "finished_after": TIMES,
    "finished_before": TIMES,
    "executorId": ["list-channel-3", "none"],
    "from": TIMES,
    "to": TIMES,
}


ASKED = {
    "console/board": "?channel={channel}&column=done",
    "console/tasks": "?channel={channel}&column=done",
    "console/find": "?text=no+such+title",
    "api/search/docs": "?q=task+7",
    "api/search/code": "?q=task+7",
    "functions/v1/job-status": "?id={alone}",
    "functions/v1/artifacts-list": "?jobId={alone}",
    "functions/v1/key-vault/get": "?name=x",
    "functions/v1/sign-artifact": "?bucket=artifacts&path={alone}/a",
}
# Others are refused.
STATUSES = {
    "console/tables/jobs": ["completed", "RUNNING", "cancelling", "timeout"],
    "api/v1/jobs": ["completed", "RUNNING", "cancelling", "timeout"],
    "api/collab/jobs/recent": JobStatus.values,
    "functions/v1/jobs-recent": JobStatus.values,
}


def all_lists():
    """The path of each list of the API, with the names of its filters."""
    found = {}
    for path, view in paths().items():
        if getattr(view, "actions", {}).get("get") == "list" and issubclass(view.cls, ListViewSet):
            filters = getattr(view.cls, "filterset_class", None)
            found[path] = list(filters.base_filters) if filters else []
    return found


ALL_LISTS = all_lists()


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        lists.fill(TASKS)
        middle = Task.objects.filter(job__isnull=False).order_by("id")[TASKS // 10]
        known = {
            "task": middle.pk,
            "chain": Chain.objects.order_by("id")[100].pk,
            "channel": middle.channel_id,
            "job": Job.objects.get(pk=middle.job_id).public_id,
            "alone": Task.objects.filter(job=None).order_by("id")[TASKS // 10].pk,
        }
    yield known
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE agents_agent, tasks_channel, jobs_job, events_event CASCADE")


@pytest.fixture(autouse=True)
def short_looks(monkeypatch):
    monkeypatch.setattr(pagination, "LOOKS", LOOKS)


def most_read(path, query=""):
    """The most rows of a large table that a statement of this request reads."""
    sent = []

    def note(execute, sql, params, many, context):
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        answer = Client().get(f"/{path}{query}")
    assert answer.status_code in {200, 404}, (path, query, answer.content)
    return max([rows_read(*one, LARGE) for one in sent if one[0].startswith("SELECT")], default=0)


def test_every_path_that_answers_is_tried_here():
    tried = {*ALL_LISTS, *OTHERS, *WAITING, *HEALTH, *SIGN_IN}

    assert paths().keys() == tried
    assert {name for names in ALL_LISTS.values() for name in names} <= VALUES.keys()


def queries(path, known):
    """No filter, each filter alone by every value, and each two by some."""
    values = VALUES | ({"status": STATUSES[path]} if path in STATUSES else {})
    each = [[(name, value) for value in values[name]] for name in ALL_LISTS[path]]
    one = [(pair,) for values in each for pair in values]
    two = [
        both
        for first, second in combinations(each, 2)
        for both in zip(first[:2], second[:2], strict=False)
    ]
    for asked in [(), *one, *two]:
        text = "&".join(f"{name}={value}" for name, value in asked)
        yield f"?{text.format(**known)}".replace("+", "%2B")


@pytest.mark.parametrize("path", ALL_LISTS)
def test_a_page_of_a_list_by_any_filters_reads_few_rows(filled, path):
    read = {query: most_read(path, query) for query in queries(path, filled)}

    assert {query: rows for query, rows in read.items() if rows > MOST_ROWS} == {}


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_no_list_reads_few_rows_too(filled, path):
    ids = {
        "<uuid:chain_id>": "chain",
        "<job_id>": "job",
        "<uuid:task_id>": "task",
        "<uuid:job_id>": "alone",
    }
    spelled = path.replace("<name:agent_id>", "list-agent-7").replace("<name:name>", "x")
    spelled = spelled.replace("<path:path>", "a/b")
    for mark, name in ids.items():
        spelled = spelled.replace(mark, str(filled[name]))

    assert most_read(spelled, ASKED.get(path, "").format(**filled)) <= OTHERS[path]
