"""What pages and programs read is answered, whatever is in its address."""

import pytest

from tests.console.test_fuzz import NASTY, encoded, query
from tests.factories import make_chain, make_job, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(admin_client):
    admin_client.raise_request_exception = False
    return admin_client


def assert_answered(response, address):
    assert response.status_code < 500, address[:200]
    assert response["Content-Type"].startswith("application/json"), address[:200]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/console/board", ["channel", "after", "limit"]),
        ("/console/tasks", ["channel", "group", "after", "before", "limit", "status"]),
        ("/console/jobs", ["after", "limit"]),
        ("/console/chains/{chain}/tasks", ["after", "before", "limit", "sequence"]),
        ("/v1/tasks", ["status", "agent_id", "job_id", "chain_id", "cursor", "limit", "type"]),
        ("/v1/events", ["agent_id", "task_id", "job_id", "type", "source", "cursor"]),
        ("/v1/dead-letters", ["reason", "agent_id", "job_id", "finished_after", "cursor"]),
        ("/v1/agents", ["online", "cursor", "created_after"]),
        ("/v1/chains", ["status", "agent_id", "channel_id", "cursor"]),
        ("/api/v1/jobs", ["status", "name", "limit", "offset", "cursor"]),
        ("/api/v1/jobs/{job}/results", ["sort", "fopt_min", "spot", "cursor", "offset", "format"]),
        ("/api/v1/spots", ["cursor", "limit"]),
        ("/console/usage", ["by", "days"]),
        ("/console/series", ["range", "channel"]),
        ("/console/find", ["text"]),
        ("/console/tables/tasks", ["sort", "text", "status", "cursor", "limit", "chain_id"]),
        ("/console/tables/tasks/ids", ["sort", "text", "channel_id", "agent_id", "job_id"]),
        ("/console/tables/agents", ["after", "limit"]),
        ("/console/tables/dead-letters", ["channel_id", "dead_letter", "finished_after"]),
        ("/console/tables/dead-letters/rows", ["group", "after", "limit"]),
        ("/console/tables/dead-letters/ids", ["group", "channel_id"]),
        ("/console/tables/jobs", ["status", "name", "kind", "sort", "cursor", "limit"]),
        ("/console/tables/actions", ["actor", "verb", "kind", "refused", "after", "limit"]),
        ("/api/metrics/routing", ["service", "limit"]),
    ],
)
def test_nonsense_in_a_query(client, path, names):
    channel = make_task().channel
    known = {"channel": str(channel.pk), "limit": "5"}
    path = path.format(chain=make_chain().pk, job=make_job(tasks=1).public_id)
    for name in names:
        for value in NASTY:
            address = f"{path}?{query(**{**known, name: value})}"
            assert_answered(client.get(address), address)


@pytest.mark.parametrize(
    "path",
    [
        "/console/chains/{}",
        "/console/jobs/{}/plot",
        "/console/tasks/{}/surroundings",
        "/console/agents/{}/work",
        "/v1/agents/{}",
        "/v1/agents/{}/chain",
        "/v1/agents/{}/current-task",
        "/v1/channels/by-name/{}",
        "/v1/tasks/{}",
        "/v1/tasks/{}/why",
        "/v1/chains/{}",
        "/api/v1/jobs/{}",
        "/api/v1/jobs/{}/results",
        "/api/v1/jobs/{}/best",
    ],
)
def test_nonsense_in_a_path(client, path):
    for value in NASTY:
        address = path.format(encoded(value))
        assert_answered(client.get(address), address)
