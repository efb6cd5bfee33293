"""POST /v1/tasks/claim: requests and answers."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from agents.models import Agent
from tests.api_v1.calls import UNKNOWN, Api, data, message, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(api):
    return api.channel()


def claim(api, agent_id="a", **more):
    return api.post("/tasks/claim", agent_id=agent_id, **more)


def ids(tasks):
    return [task["id"] for task in tasks]


def test_a_claimed_task_names_its_holder_and_epoch(api, channel):
    made = api.task(channel, payload={"n": 1})

    task = data(claim(api, channel_id=channel["id"]))["task"]

    assert task == made | {
        "status": "in_progress",
        "assigned_agent_id": "a",
        "lease_epoch": 1,
        "claimed_at": task["claimed_at"],
        "updated_at": task["updated_at"],
    }
    assert api.fresh(made) == task


def test_a_task_of_a_chain_is_shown_alike(api, channel):
    chain = api.chain(channel)
    made = api.task(channel, chain_id=chain["id"], payload={"n": 1})

    task = data(claim(api, channel_id=channel["id"]))["task"]

    assert task == made | {
        "status": "in_progress",
        "assigned_agent_id": "a",
        "reserved_for": "a",
        "lease_epoch": 1,
        "claimed_at": task["claimed_at"],
        "updated_at": task["updated_at"],
    }


@pytest.mark.parametrize(
    "where",
    [
        lambda found: {"channel_id": found},
        lambda found: {"channel_ids": [found]},
        lambda found: {"channel": "wORK"},
        lambda found: {"channels": [" Work "]},
        lambda found: {"channel_id": found, "channel": "other"},
        lambda found: {"channel_ids": [UNKNOWN, found]},
        lambda found: {"channels": ["unknown", "work"]},
    ],
    ids=["id", "ids", "name", "names", "id wins", "one id unknown", "one name unknown"],
)
def test_channels_are_named_by_id_or_by_name(api, channel, where):
    api.channel("other")
    task = api.task(channel)

    assert data(claim(api, **where(channel["id"])))["task"]["id"] == task["id"]


def test_several_channels_are_one_queue(api, channel):
    other = api.channel("other")
    line = [api.task(channel), api.task(other), api.task(channel)]
    urgent = api.task(other, priority=1)

    got = [data(claim(api, channels=["work", "other"]))["task"]["id"] for _ in range(4)]

    assert got == ids([urgent, *line])


def test_several_channels_are_claimed_from_at_once(api, channel):
    other = api.channel("other")
    line = [api.task(channel), api.task(other), api.task(channel)]

    body = data(claim(api, channel_ids=[channel["id"], other["id"]], max_tasks=5))

    assert ids(body["tasks"]) == ids(line)


def test_with_max_tasks_the_answer_is_a_list(api, channel):
    line = [api.task(channel) for _ in range(3)]

    assert ids(data(claim(api, channel="work", max_tasks=2))["tasks"]) == ids(line[:2])
    assert ids(data(claim(api, channel="work", max_tasks=2))["tasks"]) == ids(line[2:])
    assert data(claim(api, channel="work", max_tasks=2)) == {"tasks": []}
    assert data(claim(api, channels=["work", "unknown"], max_tasks=1)) == {"tasks": []}


def test_without_max_tasks_no_task_is_a_refusal(api, channel):
    assert refusal(claim(api, channel="work")) == (404, "no_tasks")


@pytest.mark.parametrize(
    "where", [{"channel": "x"}, {"channel_id": UNKNOWN}, {"channel_id": "x"}, {"channels": ["x"]}]
)
def test_an_unknown_channel_has_no_tasks(api, where):
    assert refusal(claim(api, **where)) == (404, "no_tasks")
    assert data(claim(api, max_tasks=1, **where)) == {"tasks": []}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"channel": "work"}, "agent_id_required"),
        ({"agent_id": " ", "channel": "work"}, "agent_id_required"),
        ({"agent_id": "a"}, "channel_id_or_channel_required"),
        ({"agent_id": "a", "channels": [" "]}, "channel_id_or_channel_required"),
        ({"agent_id": "a" * 201, "channel": "work"}, "agent_id"),
        ({"agent_id": "a", "channel": "work", "max_tasks": 0}, "max_tasks"),
        ({"agent_id": "a", "channel": "work", "max_tasks": 51}, "max_tasks"),
        ({"agent_id": "a", "channel": "work", "lease_seconds": 0}, "lease_seconds"),
        ({"agent_id": "a", "channel": "work", "lease_seconds": 10**7}, "lease_seconds"),
        ({"agent_id": "a", "channels": ["c"] * 51}, "channels"),
    ],
)
def test_an_invalid_claim_takes_nothing(api, channel, body, says):
    task = api.task(channel)

    response = api.post("/tasks/claim", **body)

    assert refusal(response) == (400, "invalid_request")
    assert says in message(response)
    assert api.fresh(task)["status"] == "queued"
    assert not Agent.objects.exists()


def test_a_task_of_a_chain_comes_alone(api, channel):
    chain = api.chain(channel)
    first = api.task(channel, chain_id=chain["id"], priority=1)
    alone = api.task(channel)

    assert ids(data(claim(api, channel="work", max_tasks=9))["tasks"]) == [first["id"]]
    assert data(claim(api, channel="work", max_tasks=9)) == {"tasks": []}
    assert ids(data(claim(api, "b", channel="work", max_tasks=9))["tasks"]) == [alone["id"]]


def test_a_lease_ends_after_lease_seconds(api, channel):
    api.task(channel)
    api.task(channel)

    with_end = api.claim("a", channel, lease_seconds=60)
    without = api.claim("a", channel)

    assert with_end["lease_expires_at"] > with_end["claimed_at"]
    assert "lease_expires_at" not in without


def test_a_draining_agent_gets_nothing(api, channel):
    api.task(channel)
    api.beat("a")
    Agent.objects.update(draining=True)

    assert refusal(claim(api, channel="work")) == (404, "no_tasks")
    assert api.beat("a")["drain"] is True


@pytest.mark.parametrize("how_many", [{}, {"max_tasks": 2}])
def test_a_key_gets_the_same_tasks_as_long_as_they_are_held(api, channel, how_many):
    for _ in range(3):
        api.task(channel)
    asked = {"channel": "work", "idempotency_key": "k"} | how_many
    first = data(claim(api, **asked))
    tasks = first.get("tasks") or [first["task"]]

    assert data(claim(api, **asked)) == first
    for task in tasks:
        assert data(api.complete(task, agent_id="a"))
    again = data(claim(api, **asked))

    assert not {*ids(again.get("tasks") or [again["task"]])} & {*ids(tasks)}


def test_a_key_counts_for_its_agent_only(api, channel):
    one, two = api.task(channel), api.task(channel)

    assert api.claim("a", channel, idempotency_key="k")["id"] == one["id"]
    assert api.claim("b", channel, idempotency_key="k")["id"] == two["id"]


def test_an_empty_claim_uses_no_key_up(api, channel):
    assert refusal(claim(api, channel="work", idempotency_key="k")) == (404, "no_tasks")
    task = api.task(channel)

    assert api.claim("a", channel, idempotency_key="k")["id"] == task["id"]


def test_an_epoch_grows_with_every_claim(api, channel):
    task = api.task(channel)

    for epoch in (1, 2, 3):
        held = api.claim("a", channel)
        assert (held["id"], held["lease_epoch"]) == (task["id"], epoch)
        api.fail(held, agent_id="a", retriable=True)

    assert api.fresh(task)["status"] == "failed"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("more", [{}, {"idempotency_key": "k"}, {"max_tasks": 3}])
def test_no_task_is_given_out_twice(more):
    api = Api(Client())
    channel = api.channel()
    made = {api.task(channel)["id"] for _ in range(30)}

    def work(number):
        mine = Api(Client())
        got = []
        try:
            while True:
                key = {"idempotency_key": f"k{len(got)}"} if "idempotency_key" in more else {}
                response = claim(mine, f"a{number}", channel="work", **more | key)
                body = response.json()
                tasks = body.get("tasks") or [body[name] for name in ["task"] if name in body]
                if not tasks:
                    return got
                got += ids(tasks)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        given = [task_id for got in pool.map(work, range(6)) for task_id in got]

    assert len(given) == 30
    assert set(given) == made


@pytest.mark.django_db(transaction=True)
def test_one_key_sent_by_two_at_once_gets_one_answer():
    api = Api(Client())
    channel = api.channel()
    for _ in range(8):
        api.task(channel)

    def ask(_):
        try:
            return Api(Client()).claim("a", channel, idempotency_key="k")["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(ask, range(6)))) == 1
