"""`/v1/dead-letters`: failed tasks are listed, filtered, requeued and purged."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from events.models import Event
from jobs.models import Job, JobKind
from tasks.models import Task
from tests.api_v1.calls import UNKNOWN, data, message, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(api):
    return api.channel()


def dead(api, channel, agent_id="agent-1", reason="no disk", **more):
    """A task that failed for good."""
    task = api.task(channel, **more)
    data(api.assign(task, agent_id))
    data(api.fail(task, agent_id=agent_id, reason=reason))
    return api.fresh(task)


def in_chain(api, channel):
    return {"chain_id": api.chain(channel)["id"]}


def listed(api, **query):
    return [row["id"] for row in data(api.get("/dead-letters", **query))["dead_letters"]]


def with_job(task):
    """Put the task into a new sweep; return the job's public id."""
    job = Job.objects.create(kind=JobKind.SWEEP)
    Task.objects.filter(pk=task["id"]).update(job=job)
    return job.public_id


def test_it_is_shown_with_its_reason_and_its_attempts(api, channel):
    task = dead(api, channel)
    api.task(channel)

    (row,) = data(api.get("/dead-letters"))["dead_letters"]

    del task["bad_attempts"]
    assert row == task | {"dead_letter": "not_retriable", "bad_attempts_count": 1}
    assert row["fail_reason"] == "no disk"


def test_the_latest_comes_first(api, channel):
    tasks = [dead(api, channel)["id"] for _ in range(3)]
    for place, id_ in enumerate(tasks):
        Task.objects.filter(pk=id_).update(finished_at=F("created_at") + timedelta(days=place))

    assert listed(api) == tasks[::-1]


def test_pages_pass_over_nothing_when_those_before_are_emptied(api, channel):
    """Many may have failed in one moment, and a person may work through them page by page."""
    tasks = [dead(api, channel)["id"] for _ in range(7)]
    Task.objects.update(finished_at=timezone.now())

    seen, cursor = [], {}
    while True:
        body = data(api.get("/dead-letters", limit=2, **cursor))
        page = [row["id"] for row in body["dead_letters"]]
        data(api.post("/dead-letters/requeue", ids=page, reason="repaired"))
        seen += page
        if "next_cursor" not in body:
            break
        cursor = {"cursor": body["next_cursor"]}

    assert seen == sorted(tasks)
    assert listed(api) == []


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "WyIyMDI2LTAxLTAxIiwgIngiXQ", "W10", "\0"])
def test_a_forged_cursor_is_refused(api, cursor):
    assert refusal(api.get("/dead-letters", cursor=cursor)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "name", ["reason", "channel_id", "chain_id", "job_id", "agent_id", "type", "finished_after"]
)
def test_each_filter_finds_its_own_in_lists_and_in_bodies(api, channel, name):
    other_channel = api.channel("other")
    dead(api, channel, **in_chain(api, channel))
    alone = name in {"reason", "job_id", "type"}
    letter = dead(api, other_channel, "agent-2", **({} if alone else in_chain(api, other_channel)))
    row = Task.objects.filter(pk=letter["id"])
    value = {
        "channel_id": lambda: letter["channel_id"],
        "chain_id": lambda: letter["chain_id"],
        "job_id": lambda: with_job(letter),
        "agent_id": lambda: "agent-2",
        "reason": lambda: row.update(dead_letter="unsupported") and "unsupported",
        "type": lambda: row.update(type="rare") and "rare",
        "finished_after": lambda: (
            row.update(finished_at=F("finished_at") + timedelta(days=1))
            and (timezone.now() + timedelta(hours=1)).isoformat()
        ),
    }[name]()

    assert listed(api, **{name: value}) == [letter["id"]]
    body = data(api.post("/dead-letters/requeue", filter={name: value}, reason="repaired"))

    assert body == {"requeued": 1, "refused": []}
    assert api.fresh(letter)["status"] == "queued"
    assert Task.objects.failed().count() == 1


def test_a_job_is_named_in_either_form(api, channel):
    task = dead(api, channel)
    job_id = with_job(task)

    assert job_id.startswith("job-")
    for form in (job_id, job_id.upper(), job_id.removeprefix("job-")):
        assert listed(api, job_id=form) == [task["id"]]
    assert listed(api, job_id="nonsense") == []


@pytest.mark.parametrize("verb", ["requeue", "purge"])
def test_an_empty_filter_means_all_and_must_say_so(api, channel, verb):
    for _ in range(3):
        dead(api, channel)

    for empty in ({}, {"reason": ""}, {"type": None}):
        response = api.post(f"/dead-letters/{verb}", filter=empty, reason="r")
        assert refusal(response) == (400, "invalid_request")
        assert "all" in message(response)
    assert len(listed(api)) == 3

    body = data(api.post(f"/dead-letters/{verb}", filter={}, all=True, reason="r"))
    assert body == {"requeued" if verb == "requeue" else "purged": 3, "refused": []}
    assert listed(api) == []


@pytest.mark.parametrize("verb", ["requeue", "purge"])
def test_a_misspelt_filter_is_refused_instead_of_meaning_more(api, channel, verb):
    task = dead(api, channel)

    response = api.post(
        f"/dead-letters/{verb}", filter={"agent_id": "agent-1", "resaon": "x"}, reason="r"
    )

    assert refusal(response) == (400, "invalid_request")
    assert "resaon" in message(response)
    assert api.fresh(task)["status"] == "failed"


def test_a_filter_that_nothing_has_changes_nothing(api, channel):
    dead(api, channel)

    for filter_ in ({"reason": "nonsense"}, {"channel_id": "nonsense"}, {"chain_id": UNKNOWN}):
        body = data(api.post("/dead-letters/purge", filter=filter_, reason="r"))
        assert body == {"purged": 0, "refused": []}
    response = api.post("/dead-letters/purge", filter={"finished_after": "soon"}, reason="r")
    assert refusal(response) == (400, "invalid_request")
    assert len(listed(api)) == 1


@pytest.mark.parametrize("verb", ["requeue", "purge"])
@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": [UNKNOWN], "filter": {"type": "x"}}])
def test_either_ids_or_a_filter_is_required(api, verb, body):
    response = api.post(f"/dead-letters/{verb}", reason="r", **body)

    assert refusal(response) == (400, "invalid_request")
    assert message(response) == "ids_or_filter_required"


@pytest.mark.parametrize("verb", ["requeue", "purge"])
def test_a_reason_is_required(api, channel, verb):
    task = dead(api, channel)

    for reason in ({}, {"reason": " "}):
        response = api.post(f"/dead-letters/{verb}", ids=[task["id"]], **reason)
        assert message(response) == "reason_required"


def test_at_most_a_thousand_ids_at_once(api):
    response = api.post("/dead-letters/requeue", ids=[str(n) for n in range(1001)], reason="r")

    assert refusal(response) == (400, "invalid_request")
    assert "1000" in message(response)


@pytest.mark.parametrize(("verb", "past"), [("requeue", "requeued"), ("purge", "purged")])
def test_other_tasks_are_refused_and_the_dead_letters_done(api, channel, verb, past):
    good, queued = dead(api, channel), api.task(channel)
    ids = ["nonsense", "worse", UNKNOWN, queued["id"], good["id"]]

    body = data(api.post(f"/dead-letters/{verb}", ids=ids, reason="r"))

    assert body[past] == 1
    refused = [(row["id"], row["code"]) for row in body["refused"]]
    assert sorted(refused) == sorted(
        [(id_, "not_found") for id_ in ids[:3]] + [(queued["id"], "conflict")]
    )
    assert all(row["message"] for row in body["refused"])
    assert api.fresh(queued)["status"] == "queued"


def test_the_journal_has_actor_and_reason(api, channel):
    first, second = dead(api, channel), dead(api, channel)

    data(api.post("/dead-letters/requeue", ids=[first["id"]], reason="disk repaired"))
    data(api.post("/dead-letters/purge", ids=[second["id"]], reason="of no use"))

    lines = Event.objects.filter(type__in=["task.requeued", "task.deleted"]).order_by("id")
    assert [(line.type, line.task_id, line.actor, line.reason) for line in lines] == [
        ("task.requeued", first["id"], "local", "disk repaired"),
        ("task.deleted", second["id"], "local", "of no use"),
    ]


def test_a_purged_task_is_gone(api, channel):
    task = dead(api, channel)

    data(api.post("/dead-letters/purge", ids=[task["id"]], reason="of no use"))

    assert refusal(api.get(f"/tasks/{task['id']}")) == (404, "not_found")


def test_a_page_of_any_length_costs_the_same_queries(api, channel, django_assert_max_num_queries):
    for _ in range(5):
        dead(api, channel)

    with django_assert_max_num_queries(4):
        assert len(listed(api)) == 5
