"""The table of permissions in the documents: each of its rows is asked of the API."""

import re

import pytest
import yaml
from django.db import connection

from api.throttling import limits
from coordinator_project.env import BASE_DIR
from spots import health
from tests.accounts.permission_world import World

pytestmark = pytest.mark.django_db

TABLE = BASE_DIR / "docs" / "permissions.md"
CALLERS = (
    "anonymous",
    "user: own",
    "user: another's",
    "token: support",
    "token: operator",
    "token: admin",
    "agent: own channel",
    "agent: another channel",
    "agent: another agent",
    "agent key",
    "session: no group",
    "session: user",
    "session: viewer",
    "session: operator",
    "session: admin",
    "protected mode: here",
    "protected mode: elsewhere",
)
YES = "yes"
PARTS = 4
NOT_FOR_THEM = {401, 403}
# What the things of the world are not in the state for, and what is not given in the request.
ALSO = {
    "GET /v1/agents/{agent_id}/chain": {404},  # it owns none
    "POST /v1/chains/{chain_id}/detach": {409},
    "POST /v1/tasks/{task_id}/exit": {400},  # it is no command
    "POST /console/attention/dismiss": {404},  # nothing needs a person
    "POST /api/v1/jobs/{job_id}/kill": {404},
    "DELETE /api/v1/jobs/{job_id}": {409},
    "GET /v1/agents/heartbeat": {404},  # no agent of this name
    "GET /v1/agents/request-session": {404},
    "POST /v1/tasks/inputs/claim": {404},  # nobody has sent one
    "POST /v1/tasks/claim/wait": {400},  # see its request
    "GET /v1/tasks/{task_id}/logs": {404},  # it has none
    "GET /api/v1/jobs/{job_id}/logs": {404},
    "GET /api/v1/jobs/{job_id}/artifacts.zip": {404},
    "GET /api/v1/jobs/{job_id}/artifacts/{path}": {404},
    "GET /v1/tasks/{task_id}/artifacts.zip": {404},
    "GET /v1/tasks/{task_id}/artifacts/{path}": {404},
    "PUT /v1/tasks/{task_id}/artifacts/{path}": {400},
    "GET /functions/v1/sign-artifact": {404},
    "GET /files/{bucket}/{path}": {404},
    "GET /health/details": {503},  # no loop runs
    "DELETE /api/v1/tokens/{token_id}": {404},  # in protected mode there is none
    "POST /v1/auth/register": {400},
    "POST /v1/auth/login": {400},
    "POST /v1/auth/agent-token": {400},
}


@pytest.fixture(autouse=True)
def _no_connection_stays():
    """That of the public health has a thread, and so a connection, of its own."""
    yield
    health.pool.submit(lambda: connection.close()).result(timeout=20)


def rows():
    """Each operation of the table with what it says of each caller."""
    lines = re.findall(r"^\| `(.+?)` \| (.+) \|$", TABLE.read_text(), re.MULTILINE)
    return {operation: [cell.strip() for cell in cells.split("|")] for operation, cells in lines}


def operations():
    """Every operation of the schema."""
    return {
        f"{method.upper()} {path}"
        for family in (BASE_DIR / "docs" / "openapi").glob("*.yaml")
        for path, methods in yaml.safe_load(family.read_text())["paths"].items()
        for method in methods
    }


def verdict(world, operation, who):
    answer = world.ask(operation, who)
    status = answer.status_code
    if status in NOT_FOR_THEM:
        return str(status)
    assert status < 400 or status in ALSO.get(operation, ()), (who, status, answer.content)
    return YES


def test_the_table_has_every_operation_and_no_other():
    assert set(rows()) == operations()


# A world takes as long to make as the questions about some operations.
@pytest.mark.parametrize("part", range(PARTS))
def test_everybody_may_what_the_table_says_and_no_more(settings, monkeypatch, part):
    settings.REGISTRATION = "user"
    monkeypatch.setattr(limits, "buckets", {})  # how often is no question here
    world, said = World(), rows()
    operations = sorted(said)[part::PARTS]

    found = {one: {who: verdict(world, one, who) for who in CALLERS} for one in operations}

    assert found == {one: dict(zip(CALLERS, said[one], strict=True)) for one in operations}
