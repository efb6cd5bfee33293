"""What a page could never send to a verb: answered, and nothing done that was not asked."""

import pytest

from dashboard.acts import KINDS
from tests.console.people import browser_of
from tests.factories import make_agent, make_chain, make_held_task, make_job, make_task

pytestmark = pytest.mark.django_db

NEVER = [
    None,
    True,
    -1,
    10**40,
    1e300,
    "",
    " ",
    "x" * 20_000,
    [],
    ["a", {"b": []}],
    {},
    {"a": [1]},
    "00000000-0000-0000-0000-000000000000",
    "<script>",
    "%s %(count)d {0}",
    "\ud83d\ude00",
]
EACH = [(kind, verb.name) for kind, offered in KINDS.items() for verb in offered.verbs]


@pytest.fixture
def admin():
    client = browser_of("Admin")
    client.raise_request_exception = False
    return client


def act(client, kind, name, **body):
    return client.post(f"/console/{kind}/{name}", body, content_type="application/json")


def made(kind):
    return {
        "tasks": make_task,
        "channels": lambda: make_task().channel,
        "agents": make_agent,
        "chains": lambda: make_chain(tasks=1),
        "jobs": lambda: make_job(tasks=1),
    }[kind]()


@pytest.mark.parametrize(("kind", "name"), EACH, ids=[f"{kind}-{name}" for kind, name in EACH])
def test_values_that_no_field_has(admin, kind, name):
    verb = KINDS[kind].named(name)
    for value in NEVER if verb.fields else [None]:
        values = dict.fromkeys([*verb.fields, "nothing of the kind"], value)
        for preview in (True, False):
            row = made(kind)
            answer = act(
                admin, kind, name, ids=[str(row.pk)], reason="x", values=values, preview=preview
            )
            assert answer.status_code < 500, (values, answer.content)


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_other_kinds(admin, kind, preview):
    rows = [made(other) for other in KINDS if other != kind]
    ids = [*(str(row.pk) for row in rows), "", "x" * 500, "job-", "'; --"]
    for verb in KINDS[kind].verbs:
        answer = act(admin, kind, verb.name, ids=ids, reason="x", preview=preview)
        assert answer.status_code < 500, (verb.name, answer.content)
        assert not answer.json().get("done"), (verb.name, answer.json())


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_id_often_and_in_other_spellings_is_one_row(admin, kind):
    row = made(kind)
    pk = str(row.pk)
    ids = [pk, pk.upper(), pk.replace("-", "")] if kind != "agents" else [pk]
    verb = {"tasks": "cancel", "channels": "pause", "agents": "drain", "jobs": "cancel"}.get(
        kind, "change_on_failure"
    )
    values = {"on_failure": "stop"} if kind == "chains" else {}

    answer = act(admin, kind, verb, ids=ids * 3, reason="x", values=values).json()

    assert (answer["done"], answer["refused"]) == (1, [])


def test_a_body_that_is_too_large_is_refused(admin):
    task = make_held_task()
    answer = act(
        admin, "tasks", "complete", ids=[str(task.pk)], reason="x", values={"result": "x" * 2**20}
    )
    assert answer.status_code == 413

    answer = act(
        admin, "tasks", "complete", ids=[str(task.pk)], reason="x", values={"result": "x" * 10**6}
    )
    assert answer.status_code < 500
