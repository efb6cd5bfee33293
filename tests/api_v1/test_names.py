"""A name is one name however its letters are composed, and with or without blanks around it.

"빌드" and "é" are one character each (NFC) or several (NFD), as the system that typed them has it.
"""

from functools import partial
from unicodedata import normalize
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db.models.functions import Lower
from django.urls import reverse

from agents.models import Agent
from api.names import spelled
from tasks.models import Channel, Task
from tests.api_v1.calls import data, refusal
from tests.racing import at_once

NAMES = ["빌드", "Café", "Ångström"]
every_name = pytest.mark.parametrize("name", NAMES)


def nfd(name):
    apart = normalize("NFD", name)
    assert apart != name
    return f" {apart}\t"


def test_a_name_is_composed_and_trimmed():
    assert [spelled(nfd(name)) for name in NAMES] == NAMES
    assert spelled(" build\n") == "build"
    assert spelled("\u3000빌드\u00a0") == "빌드"


def test_a_text_that_is_too_long_for_a_name_costs_no_time():
    text = "a" + "\u0301\u0323" * 500_000

    assert spelled(text) == text


@every_name
@pytest.mark.django_db
def test_both_spellings_are_one_channel(api, name):
    channel = data(api.post("/channels", name=nfd(name)), 201)["channel"]
    task = data(api.post("/tasks", channel=nfd(name), title="x"), 201)["task"]

    assert channel["name"] == name
    assert refusal(api.post("/channels", name=name))[0] == 409
    for written in (name, name.upper(), nfd(name.lower())):
        found = api.get(f"/channels/by-name/{quote(written)}")
        assert data(found)["channel"] == channel, written
    assert api.claim("agent", {"name": nfd(name.upper())})["id"] == task["id"]


@pytest.mark.django_db(transaction=True)
def test_a_channel_opened_at_once_in_both_spellings_is_made_once(api):
    written = [name for pair in zip(["빌드"] * 8, [nfd("빌드")] * 8, strict=True) for name in pair]

    responses = at_once(*[partial(api.post, "/channels", name=name) for name in written])

    assert sorted(response.status_code for response in responses) == [201] + [409] * 15
    assert Channel.objects.get().name == "빌드"


@every_name
@pytest.mark.django_db
def test_both_spellings_are_one_agent(api, name):
    channel = api.channel()
    task = api.task(channel)
    api.claim(nfd(name), channel)
    api.beat(name, meta={"subscriptions": [nfd("빌드"), "빌드", " work "]})

    assert Agent.objects.get().subscriptions == ["빌드", "work"]
    for written in (name, nfd(name)):
        path = f"/agents/{quote(written)}"
        assert data(api.get(path))["agent"]["id"] == name
        assert data(api.get(f"{path}/current-task"))["task"]["id"] == task["id"]
        assert data(api.post(f"{path}/drain"))["agent"]["id"] == name
        assert data(api.patch(f"{path}/channels", subscriptions=[nfd("빌드"), "빌드"]))
        listed = data(api.get("/tasks", agent_id=written))["tasks"]
        assert [row["id"] for row in listed] == [task["id"]]
    data(api.complete(task, agent_id=nfd(name)))
    assert Agent.objects.get().subscriptions == ["빌드"]


@pytest.mark.django_db
def test_both_spellings_own_one_chain(api):
    channel = api.channel()
    chain = api.chain(channel, name=nfd("빌드"))
    api.task(channel, chain_id=chain["id"])
    api.beat("빌드", meta={"subscriptions": ["work"]})

    data(api.post(f"/chains/{chain['id']}/assign-agent", agent_id=nfd("빌드")))

    assert chain["name"] == "빌드"
    assert data(api.get(f"/agents/{quote(nfd('빌드'))}/chain"))["chain"]["id"] == chain["id"]
    owned = data(api.get("/chains", agent_id=nfd("빌드")))["chains"]
    assert [row["id"] for row in owned] == [chain["id"]]
    assert api.detach(chain["id"], nfd("빌드")).status_code == 200


@pytest.mark.django_db
def test_both_spellings_are_one_key(api):
    channel = api.channel()
    tasks = [api.post("/tasks", channel="work", title="t", idempotency_key=k) for k in ("é", "é ")]
    api.task(channel)
    claims = [api.claim("a", channel, idempotency_key=key) for key in (nfd("é"), "é")]
    events = [
        api.post("/events", agent_id=agent, type=nfd("é"), idempotency_key=key)
        for agent, key in (("é", "é"), (nfd("é"), nfd("é")))
    ]

    assert [response.status_code for response in tasks] == [201, 200]
    assert claims[0]["id"] == claims[1]["id"]
    assert [response.status_code for response in events] == [201, 200]
    listed = data(api.get("/events", agent_id=nfd("é"), type="é"))["events"]
    assert [row["type"] for row in listed] == ["é"]


@pytest.mark.django_db
def test_wants_and_offers_are_compared_as_names(api):
    channel = api.channel()
    task = api.task(channel, wants={nfd("그래픽"): nfd("빌드")}, requires={" gpu ": "a100 "})

    assert not data(api.post("/tasks/claim", agent_id="x", channel="work", max_tasks=1))["tasks"]
    api.beat("b", capabilities={"그래픽": ["빌드"], "gpu": [" a100"]})

    assert api.claim("b", channel)["id"] == task["id"]


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["wants", "requires"])
def test_a_want_given_in_two_spellings_is_refused(api, field):
    api.channel()
    for twice in ({"é": "1", nfd("é"): "2"}, {"gpu": "1", " gpu": "1"}):
        body = {"channel": "work", "title": "t", field: twice}

        assert refusal(api.post("/tasks", **body)) == (400, "invalid_request")
    offers = {"é": ["1"], nfd("é"): ["2"]}
    beat = data(api.post("/agents/heartbeat", agent_id="a", capabilities=offers))
    assert "capabilities" in beat["ignored"]


@pytest.mark.django_db
def test_texts_that_are_no_names_stay_as_they_were_sent(api):
    channel = api.channel()
    apart = normalize("NFD", "빌드")
    task = api.task(channel, title=f" {apart} ", description=apart, payload={apart: apart})
    api.claim("agent", channel)
    data(api.complete(task, result=apart))

    kept = api.fresh(task)
    assert (kept["title"], kept["description"]) == (apart, apart)
    assert (kept["payload"], kept["result"]) == ({apart: apart}, apart)


@pytest.mark.django_db
@pytest.mark.parametrize("letters", ["é" * 200, "한" * 200])
def test_a_name_is_as_long_as_its_composed_letters(api, letters):
    assert data(api.post("/channels", name=nfd(letters)), 201)["channel"]["name"] == letters
    assert refusal(api.post("/channels", name=nfd(letters + "é")))[0] == 400


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["ΟΔΟΣ", "İstanbul", "STRASSE", "빌드"])
def test_agents_of_a_channel_are_found_as_its_claims_find_it(api, name):
    api.beat("agent", meta={"subscriptions": [name]})
    found = Channel.objects.create(name=name)
    lowered = Channel.objects.values_list(Lower("name"), flat=True).get()

    for written in (name, lowered):
        assert Channel.objects.named([written]).get() == found
        assert [agent.pk for agent in Agent.objects.working_for(written)] == ["agent"]


@pytest.mark.django_db
def test_the_console_and_the_commands_find_both_spellings(api, admin_client, capsys):
    channel = api.channel()
    task = api.task(channel)
    api.claim("빌드", channel)
    listed = admin_client.get(reverse("admin:agents_agent_changelist"), {"q": nfd("빌드")})
    shown = admin_client.get(f"/admin/agents/agent/{quote(nfd('빌드'))}/change/")

    assert [row.pk for row in listed.context["cl"].result_list] == ["빌드"]
    assert shown.status_code == 200
    call_command("reset_agent", nfd("빌드"), reason="why")
    assert Task.objects.get(pk=task["id"]).status == "queued"
