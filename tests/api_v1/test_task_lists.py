"""Several tasks in one request, and tasks by their idempotency key."""

import pytest

from tasks.models import Task
from tests.api_v1.calls import data, message, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(api):
    return api.channel()


def new(channel, title="x", **more):
    return {"channel_id": channel["id"], "title": title} | more


def send(api, *tasks):
    return api.send("post", "/tasks", list(tasks))


def test_tasks_are_made_and_claimed_in_the_order_of_the_list(api, channel):
    made = data(send(api, *(new(channel, f"t{n}") for n in range(5))), 201)["tasks"]

    claimed = [api.claim("a", channel)["id"] for _ in made]

    assert [task["title"] for task in made] == ["t0", "t1", "t2", "t3", "t4"]
    assert claimed == [task["id"] for task in made]


def test_a_list_may_have_a_thousand_tasks(api, channel):
    assert len(data(send(api, *(new(channel) for _ in range(1000))), 201)["tasks"]) == 1000
    assert Task.objects.count() == 1000


def test_a_list_may_not_have_more_than_a_thousand_tasks(api, channel):
    response = send(api, *(new(channel) for _ in range(1001)))

    assert refusal(response) == (400, "invalid_request")
    assert "1000" in message(response)
    assert not Task.objects.exists()


def test_an_empty_list_is_refused(api):
    assert refusal(send(api)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("wrong", "status", "says"),
    [
        ({"title": ""}, 400, "[1].title_required"),
        ({"priority": "high"}, 400, "[1].priority"),
        ({"chain_id": "nonsense"}, 400, "chain_id_not_found"),
        ({"channel_id": "nonsense"}, 404, "channel nonsense"),
    ],
)
def test_all_tasks_of_a_list_are_made_or_none(api, channel, wrong, status, says):
    response = send(api, new(channel), new(channel) | wrong, new(channel))

    assert refusal(response)[0] == status
    assert says in message(response)
    assert not Task.objects.exists()


def test_an_item_of_a_list_is_an_object(api, channel):
    response = send(api, new(channel), 5)

    assert refusal(response) == (400, "bad_json")
    assert "[1]" in message(response)
    assert not Task.objects.exists()


def test_a_list_may_fill_chains_and_channels_at_once(api, channel):
    other = api.channel("other")
    chain = api.chain(channel)

    in_chain = new(channel, chain_id=chain["id"])
    made = data(send(api, in_chain, new(other), in_chain), 201)["tasks"]

    assert [(task.get("sequence"), task["channel_id"]) for task in made] == [
        (1, channel["id"]),
        (None, other["id"]),
        (2, channel["id"]),
    ]


def test_a_repeated_sequence_refuses_the_list(api, channel):
    chain = api.chain(channel)
    twice = new(channel, chain_id=chain["id"], sequence=3)

    assert refusal(send(api, twice, twice)) == (400, "invalid_request")
    assert not Task.objects.exists()


def test_a_key_that_is_known_answers_with_the_task_made_first(api, channel):
    first = api.task(channel, "first", idempotency_key="k")

    again = data(api.post("/tasks", **new(channel, "again", idempotency_key="k")), 200)["task"]

    assert again == first
    assert Task.objects.count() == 1


def test_a_key_counts_in_its_channel_only(api, channel):
    api.task(channel, idempotency_key="k")

    api.task(api.channel("other"), idempotency_key="k")

    assert Task.objects.count() == 2


def test_a_key_answers_with_the_task_as_it_is_now(api, channel):
    api.task(channel, idempotency_key="k")
    api.complete(api.claim("a", channel), result=5)

    again = data(api.post("/tasks", **new(channel, idempotency_key="k")))["task"]

    assert (again["status"], again["result"]) == ("done", 5)


def test_a_key_that_a_list_names_twice_makes_one_task(api, channel):
    keyed = new(channel, idempotency_key="k")

    made = data(send(api, keyed, new(channel), keyed), 201)["tasks"]

    assert made[0] == made[2] != made[1]
    assert Task.objects.count() == 2


def test_a_list_repeated_makes_nothing_new(api, channel):
    tasks = [new(channel, idempotency_key=f"k{n}") for n in range(3)]
    made = data(send(api, *tasks), 201)

    assert data(send(api, *tasks), 200) == made
    more = data(send(api, *tasks, new(channel)), 201)["tasks"]

    assert more[:3] == made["tasks"]
    assert Task.objects.count() == 4
