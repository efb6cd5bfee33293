"""What needs a person: each kind is found, named, put right by its remedy, and then gone."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from agents import transitions as agents
from agents.models import Agent, Dismissal, Pulse
from chains import transitions as chains
from chains.models import Chain
from coordinator_project.models import PassRecord
from dashboard import attention, counters, overview
from events.models import OperatorAction
from jobs import tally
from jobs.models import Job
from tasks import transitions as tasks
from tasks.models import Task
from tests.accounts.tokens import client_of, issue
from tests.console.people import make_person
from tests.factories import (
    fail_at_once,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    make_tasks,
    silence,
    sweeps,
    take,
    tasks_of,
)

pytestmark = pytest.mark.django_db

AGO = timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _heard():
    """Agents could be heard all the time, and nothing is kept from another test."""
    now = timezone.now()
    Pulse.objects.create(beat_at=now + timedelta(hours=1), grace_until=now - timedelta(hours=1))
    forget()


def forget():
    for kept in (counters.counters, counters.channels, counters.waits):
        kept.forget()
    attention.kept.forget()
    overview.overview.forget()


def found():
    """The findings by their keys."""
    forget()
    return {one.key: one for one in attention.found()}


def only(key):
    """The finding of this key, which is the only one."""
    everything = found()
    assert list(everything) == [key]
    return everything[key]


def act(kind, verb, *ids):
    """What the button of a remedy sends."""
    body = {"ids": [str(pk) for pk in ids], "reason": "put right"}
    answer = Client().post(f"/console/{kind}/{verb}", body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def put_right(finding):
    """Use the first verb of a finding on all that it names."""
    result = act(finding.of, finding.verbs[0], *(one.id for one in finding.subjects))
    assert (result["done"], result["refused"]) == (len(finding.subjects), [])


def lock_chain(name="release"):
    channel = make_channel()
    chain, agent = make_chain(channel, tasks=2), make_agent()
    Chain.objects.filter(pk=chain.pk).update(name=name)
    give(agent, channel)
    chains.detach(chain.pk, owner_id=agent.pk, by="tests")
    return chain


def die(number, **fields):
    """So many tasks fail for good."""
    fail_at_once(Task.objects.filter(pk__in=[task.pk for task in make_tasks(number, **fields)]))


def let_wait(channel, ago):
    """The tasks of a channel could have been claimed for so long."""
    Task.objects.filter(channel=channel).update(available_at=Now() - ago)


def test_where_nothing_is_wrong_nothing_is_found():
    channel, agent = make_channel("served"), make_agent(subscriptions=["served"])
    make_tasks(3, channel=channel)
    give(agent, channel)
    let_wait(channel, AGO)

    assert found() == {}


def test_a_locked_chain_is_found_until_it_is_unlocked():
    chain = lock_chain()

    finding = only("chain_locked")
    assert (finding.severity, finding.count, finding.of) == ("alarm", 1, "chains")
    [subject] = finding.subjects
    assert (subject.id, subject.title) == (str(chain.pk), "release")
    assert finding.address == subject.address == f"#/chains/{chain.pk}"
    assert finding.message == "1 chain is locked until a person decides."

    put_right(finding)
    assert "chain_locked" not in found()


def test_many_locked_chains_are_counted_and_the_longest_ones_named():
    made = [lock_chain(f"chain {number}") for number in range(7)]
    Chain.objects.filter(pk=made[6].pk).update(updated_at=Now() - timedelta(hours=2))

    finding = only("chain_locked")

    assert finding.count == 7
    assert len(finding.subjects) == attention.MOST_SUBJECTS
    assert finding.subjects[0].title == "chain 6"
    assert finding.since == finding.subjects[0].since < finding.latest
    assert finding.message == "7 chains are locked until a person decides."


@pytest.mark.parametrize("holds", ["a task", "a chain"])
@pytest.mark.parametrize("lost", [True, False])
def test_an_agent_that_is_gone_is_found_while_it_holds_something(holds, lost):
    channel = make_channel("work")
    agent = make_agent("gone", subscriptions=["work"])
    if holds == "a chain":
        make_chain(channel, tasks=1)
    else:
        make_task(channel)
    give(agent, channel)
    if holds == "a chain":
        tasks_in = Task.objects.get()
        complete(tasks_in, agent)
    silence(agent, timedelta(hours=1) if lost else timedelta(minutes=5))
    if lost:
        agents.announce()

    finding = only("agent_lost" if lost else "agent_silent")
    assert [one.id for one in finding.subjects] == ["gone"]
    assert finding.severity == ("alarm" if lost else "warning")

    put_right(finding)
    assert not {"agent_lost", "agent_silent"} & set(found())


def complete(task, agent):
    body = {"task_id": str(task.pk), "agent_id": agent.pk}
    answer = Client().post("/v1/tasks/complete", body, content_type="application/json")
    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize("case", ["holds nothing", "a moment", "unheard"])
def test_an_agent_that_is_gone_is_not_found_where_nobody_is_needed(case):
    agent = make_agent("gone")
    if case != "holds nothing":
        make_held_task(agent)
    silence(agent, timedelta(seconds=60) if case == "a moment" else timedelta(minutes=5))
    if case == "unheard":
        Pulse.objects.update(beat_at=timezone.now() - timedelta(minutes=5))

    assert not {"agent_lost", "agent_silent"} & set(found())


def test_dead_letters_are_found_by_their_cause_until_they_are_requeued():
    make_agent()
    die(3)
    dead = list(Task.objects.failed().order_by("pk"))
    Task.objects.exclude(pk=dead[0].pk).update(dead_letter="timeout")

    everything = found()

    assert {key: one.count for key, one in everything.items()} == {
        "dead_letters:exhausted": 1,
        "dead_letters:timeout": 2,
    }
    exhausted = everything["dead_letters:exhausted"]
    assert exhausted.subjects[0].address == f"#/tasks/{dead[0].pk}"
    assert exhausted.message == "1 task failed for good: no attempts left."
    for finding in everything.values():
        put_right(finding)
    assert not [key for key in found() if key.startswith("dead_letters")]


@pytest.mark.parametrize("present", ["nobody", "elsewhere", "draining", "offline"])
def test_a_channel_that_nobody_serves_is_found(present):
    channel = make_channel("Lonely")
    make_tasks(4, channel=channel)
    let_wait(channel, AGO)
    if present != "nobody":
        agent = make_agent(subscriptions=["elsewhere" if present == "elsewhere" else "lonely"])
        if present == "draining":
            agents.drain(agent.pk, by="tests", reason="")
        if present == "offline":
            silence(agent, timedelta(minutes=1))

    finding = only("channel_unserved")

    [subject] = finding.subjects
    assert (subject.id, subject.title, subject.count) == (str(channel.pk), "Lonely", 4)
    assert finding.found_since is None  # nobody knows when the last agent left
    assert finding.connects
    make_agent(subscriptions=["LONELY"])
    assert found() == {}


@pytest.mark.parametrize("name", ["ΟΔΟΣ", "İstanbul", "Straße", "번역"])
def test_a_channel_is_served_by_its_name_in_every_script(name):
    let_wait(make_task(make_channel(name)).channel, AGO)
    make_agent(subscriptions=[name])

    assert found() == {}


def test_the_channel_of_sweeps_is_served_by_spots_alone():
    make_job(tasks=2)
    let_wait(sweeps(), AGO)
    make_agent()

    Agent.objects.update(subscriptions=["other"])
    assert "channel_unserved" in found()
    make_agent(protocol="spot")
    assert found() == {}


@pytest.mark.parametrize("case", ["a moment", "no tasks", "blocked", "an agent for all"])
def test_a_channel_is_not_unserved_where_nobody_is_needed(case):
    channel = make_channel()
    if case != "no tasks":
        make_task(channel)
    if case != "a moment":
        let_wait(channel, AGO)
    if case == "an agent for all":
        make_agent(subscriptions=[])
    if case == "blocked":
        Task.objects.update(assign_only=True)

    assert found() == {}


def test_a_channel_whose_oldest_task_waits_too_long_is_found():
    channel = make_channel("slow")
    make_agent(subscriptions=["slow"])
    make_tasks(2, channel=channel)
    let_wait(channel, settings.LONG_WAIT - AGO)
    assert found() == {}

    let_wait(channel, settings.LONG_WAIT + AGO)

    finding = only("channel_waiting")
    assert (finding.severity, finding.subjects[0].count) == ("warning", 2)
    assert timezone.now() - finding.since > settings.LONG_WAIT


def test_how_long_is_too_long_is_a_setting(settings):
    channel = make_channel()
    make_agent()
    make_task(channel)
    let_wait(channel, AGO)
    assert found() == {}

    settings.LONG_WAIT = timedelta(minutes=5)

    assert list(found()) == ["channel_waiting"]


def test_a_paused_channel_with_tasks_is_noted_until_it_is_resumed():
    channel = make_channel()
    make_task(channel)
    let_wait(channel, AGO)
    tasks.pause_channel(channel.pk, by="tests", reason="maintenance")

    finding = only("channel_paused")

    assert finding.severity == "note"
    make_agent()
    put_right(finding)
    assert found() == {}


def begin_job():
    """A job of which one task has ended, which nobody works at any more."""
    make_agent(protocol="spot")
    job, agent = make_job(tasks=3), make_agent()
    complete(give(agent, sweeps()), agent)
    tally.fold()
    return job, agent


def let_stand(job):
    Job.objects.filter(pk=job.pk).update(updated_at=F("updated_at") - settings.STALLED_JOB - AGO)


def test_a_job_that_stands_still_is_found_until_it_goes_on():
    job, agent = begin_job()
    assert found() == {}
    let_stand(job)

    finding = only("job_stalled")
    assert [one.id for one in finding.subjects] == [job.public_id]
    assert finding.address == f"#/jobs/{job.public_id}"

    give(agent, sweeps())
    assert found() == {}
    complete(Task.objects.in_progress().get(), agent)
    tally.fold()
    assert found() == {}


def test_a_job_that_stands_still_can_be_cancelled():
    job, _ = begin_job()
    let_stand(job)

    put_right(only("job_stalled"))

    tally.fold()
    assert found() == {}


def test_a_job_that_has_ended_does_not_stand_still():
    job, agent = begin_job()
    for task in take(agent, sweeps(), max_tasks=2):
        complete(task, agent)
    tally.fold()
    let_stand(job)

    assert len(tasks_of(job)) == 3
    assert found() == {}


def test_passes_that_are_late_are_found_until_they_succeed():
    long_ago = timezone.now() - timedelta(hours=1)
    for name in ("tasks.fold", "events.partitions"):
        PassRecord.objects.create(name=name, every=timedelta(seconds=2), led_since=long_ago)
    PassRecord.objects.filter(name="events.partitions").update(every=timedelta(hours=1))

    finding = only("pass_late")
    assert [one.title for one in finding.subjects] == ["tasks.fold"]
    assert finding.address == "/health/details"

    PassRecord.objects.update(last_success_at=Now())
    assert found() == {}


def test_the_worst_comes_first():
    paused, late = make_channel("paused"), make_channel("late")
    for channel in (paused, late):
        make_task(channel)
        let_wait(channel, settings.LONG_WAIT + AGO)
    make_agent(subscriptions=["late", "paused"])
    tasks.pause_channel(paused.pk, by="tests", reason="")
    lock_chain()
    Agent.objects.update(subscriptions=[])

    assert list(found()) == ["chain_locked", "channel_waiting", "channel_paused"]


def test_a_finding_speaks_all_languages_and_has_its_verbs():
    lock_chain("релиз 🚀")

    [row] = Client().get("/console/overview").json()["attention"]

    assert row["key"] == row["kind"] == "chain_locked"
    assert row["text"].keys() == {code for code, _ in settings.LANGUAGES}
    assert len(set(row["text"].values())) == len(settings.LANGUAGES)
    assert row["subjects"][0]["title"] == "релиз 🚀"
    verbs = {verb["name"] for verb in Client().get("/console/verbs").json()["chains"]}
    assert set(row["verbs"]) <= verbs


def every_kind():
    """Something of each kind."""
    lock_chain()
    for ago in (timedelta(hours=1), timedelta(minutes=5)):
        agent = make_agent(subscriptions=["none"])
        make_held_task(agent)
        silence(agent, ago)
        agents.announce()
    for number, status in enumerate(("exhausted", "timeout")):
        die(1, title=f"dead {number}")
        Task.objects.filter(title=f"dead {number}").update(dead_letter=status)
    job, _ = begin_job()
    let_stand(job)
    Agent.objects.filter(subscriptions=[]).update(subscriptions=["none"])
    for name in ("lonely", "paused", "slow"):
        channel = make_channel(name)
        make_task(channel)
        let_wait(channel, settings.LONG_WAIT + AGO)
        if name == "paused":
            tasks.pause_channel(channel.pk, by="tests", reason="")
    make_agent(subscriptions=["slow"])
    PassRecord.objects.create(
        name="tasks.fold", every=timedelta(seconds=2), led_since=timezone.now() - AGO
    )
    return {
        *("chain_locked", "agent_lost", "agent_silent", "dead_letters", "channel_unserved"),
        *("channel_waiting", "channel_paused", "job_stalled", "pass_late"),
    }


@pytest.mark.parametrize("code", ["en", "ko", "ru"])
def test_every_sentence_is_translated_for_one_and_for_many(code):
    kinds = every_kind()
    everything = found().values()

    assert {one.kind for one in everything} == kinds
    with translation.override("en"):
        english = [(one.words(1, "1"), one.words(5, "5")) for one in everything]
    with translation.override(code):
        said = [(one.words(1, "1"), one.words(5, "5")) for one in everything]
    for mine, theirs in zip(said, english, strict=True):
        assert (mine == theirs) == (code == "en")
        assert "1" in mine[0]
        assert "5" in mine[1]


def test_every_verb_of_a_finding_is_one_of_the_console():
    every_kind()
    offered = Client().get("/console/verbs").json()

    for finding in found().values():
        names = {verb["name"] for verb in offered.get(finding.of, [])}
        assert set(finding.verbs) <= names


def dismiss(key, status=200):
    body = {"key": key}
    answer = Client().post("/console/attention/dismiss", body, content_type="application/json")
    assert answer.status_code == status, answer.content


def shown():
    forget()
    return [row["key"] for row in Client().get("/console/overview").json()["attention"]]


def test_what_is_dismissed_is_hidden_until_something_new_comes_to_it():
    lock_chain()
    assert shown() == ["chain_locked"]

    dismiss("chain_locked")

    assert shown() == []
    assert list(found()) == ["chain_locked"]  # whoever carries findings out still has it
    assert Dismissal.objects.get().by == "local"
    [use] = Client().get("/console/tables/actions").json()["uses"]
    assert (use["verb_label"], use["kind_label"]) == ("Dismissed", "What needs a person")
    assert (use["actor"], use["objects"]) == ("local", ["chain_locked"])
    assert OperatorAction.objects.get().after == {
        "message": "1 chain is locked until a person decides."
    }
    Dismissal.objects.update(dismissed_at=Now() - timedelta(minutes=1))
    Chain.objects.update(updated_at=Now() - AGO)
    assert shown() == []
    lock_chain()
    assert shown() == ["chain_locked"]
    dismiss("chain_locked")
    assert shown() == []


def unserved(name, ago):
    channel = make_channel(name)
    make_task(channel)
    let_wait(channel, ago)


def silent(name, ago):
    agent = make_agent(name)
    make_held_task(agent)
    silence(agent, ago)


@pytest.mark.parametrize(
    ("make", "key"), [(unserved, "channel_unserved"), (silent, "agent_silent")]
)
def test_what_comes_to_it_later_is_new_though_it_began_before(make, key):
    make("first", AGO)
    assert key in found()
    dismiss(key)
    Dismissal.objects.update(dismissed_at=Now() - timedelta(seconds=30))
    assert key not in shown()

    make("second", timedelta(seconds=125 if make is silent else 65))

    assert key in shown()


@pytest.mark.parametrize("key", ["chain_locked", "x", "dead_letters:x"])
def test_what_is_not_found_cannot_be_dismissed(key):
    dismiss(key, 404)

    assert not Dismissal.objects.exists()
    assert not OperatorAction.objects.exists()


@pytest.mark.parametrize("key", ["", None, 1, "x" * 101, "a\0b", ["x"]])
def test_a_key_that_cannot_be_one_is_refused(key):
    dismiss(key, 400)


def test_notifications_have_what_needs_a_person_on_their_first_page():
    lock_chain()
    forget()

    body = Client().get("/v1/notifications").json()

    assert body["notifications"] == []
    [finding] = body["attention"]
    assert finding["text"]["en"] == "1 chain is locked until a person decides."
    assert finding == Client().get("/console/overview").json()["attention"][0]


def test_who_sees_only_what_is_theirs_is_not_told_what_needs_others():
    lock_chain()
    forget()
    theirs = client_of(issue(user=make_person("User")).secret)

    answer = theirs.get("/v1/notifications")

    assert answer.json() == {"notifications": []}
    looks = client_of(issue(user=make_person("Viewer")).secret)
    assert "attention" in looks.get("/v1/notifications").json()


def test_reading_it_takes_as_many_statements_however_much_there_is():
    every_kind()
    few = statements()
    every_kind_again()

    assert statements() == few
    assert few <= 20


def statements():
    forget()
    counters.waits.read(), counters.channels.read()
    with CaptureQueriesContext(connection) as asked:
        assert attention.rows()
    return len(asked)


def every_kind_again():
    for _ in range(3):
        lock_chain()
        agent = make_agent(subscriptions=["none"])
        make_held_task(agent)
        silence(agent, timedelta(hours=1))
        channel = make_channel()
        make_task(channel)
        let_wait(channel, AGO)
    die(30)
