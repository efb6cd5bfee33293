"""Clients that were made from the older project's schema files find what these promise.

Each of its requests is taken as the file's example has it, and whatever else the file allows breaks
nothing: every answer is one of the family, and every 200 is as the file says.
"""

from pathlib import Path

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.factories import give, make_agent, make_channel, make_task
from tests.serving import TOKEN

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("old_journal")]

FOLDER = Path(__file__).parent / "older"
CHECKS = [not_a_server_error, response_schema_conformance]
CREDENTIAL = {"Authorization": f"Bearer {TOKEN}"}
EXAMPLES = 15
OPERATIONS = [
    (file.name, path, method)
    for file in sorted(FOLDER.glob("*.yaml"))
    for path, methods in yaml.safe_load(file.read_text())["paths"].items()
    for method in methods
]
DRAWN = [one for one in OPERATIONS if one[1] != "/docs.json"]  # it takes nothing and is large
REFUSALS = {400, 403, 404, 409, 413}


@pytest.fixture
def job():
    """The id of a job that a worker holds; another waits."""
    channel = make_channel("builds")
    for _ in range(2):
        make_task(channel=channel, type="build")
    return str(give(make_agent("worker-1"), channel).pk)


def operation(job, file, path, method):
    text = (FOLDER / file).read_text().replace("{job}", job)
    return schemathesis.openapi.from_dict(yaml.safe_load(text))[path][method]


def examples(parameters):
    return {one.name: one.definition["example"] for one in parameters}


def call(case, server):
    return case.call(base_url=server.url, headers=CREDENTIAL, timeout=20)


@pytest.mark.parametrize("one", OPERATIONS, ids=" ".join)
def test_the_example_of_each_operation_is_answered_as_its_file_says(server, job, one):
    asked = operation(job, *one)
    bodies = [one.definition["example"] for one in asked.body]
    case = asked.Case(
        path_parameters=examples(asked.path_parameters),
        query=examples(asked.query),
        **({"body": bodies[0]} if bodies else {}),
    )

    answer = call(case, server)

    assert answer.status_code == 200, answer.text
    case.validate_response(answer, checks=CHECKS)


@pytest.mark.parametrize("one", DRAWN, ids=" ".join)
def test_whatever_a_file_allows_is_answered_as_it_says_or_refused(server, job, one):
    asked = operation(job, *one)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=asked.as_strategy())
    def ask(case):
        answer = call(case, server)
        assert answer.status_code == 200 or answer.status_code in REFUSALS, answer.text
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code == 200 or answer.json()["error"]

    ask()
