"""The realtime socket: channels, what is told in them, and how a client goes on after a break."""

import json
import time

import psycopg
import pytest
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from websockets.exceptions import InvalidStatus

from accounts import transitions as accounts
from agents import transitions as agents
from agents.models import Agent
from collab import presence
from events import direct, journal
from tasks import reports
from tasks import transitions as tasks
from tasks.models import Channel
from tasks.rows import Outcome
from tests.accounts.tokens import ADMINISTRATOR, of_agent, of_person
from tests.collab.watching import opened, told_in, watching, work_off
from tests.factories import (
    give,
    make_agent,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    silence,
    tasks_of,
)
from tests.serving import serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("old_journal")]

BUS = "system:events"
LIFE = ["job.claimed", "job.started", "job.succeeded", "job.done"]


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def progress(task, **said):
    """Write what the worker's `task.progress` writes."""
    with transaction.atomic():
        journal.attribute(actor=f"agent:{task.agent_id}")
        journal.record("task.progress", agent_id=task.agent_id, task_id=str(task.pk), payload=said)


def test_the_life_of_a_job_is_told_in_order_each_in_an_envelope(server):
    task = make_task(type="build", trace="trace-1")
    channel, agent = f"jobs:{task.pk}", make_agent()
    with watching(server, channel) as watcher:
        give(agent, task.channel)
        work_off(task, agent.pk)
        watcher.event("job.done")

    assert watcher.types(channel) == LIFE
    envelopes = [one["event"] for one in watcher.messages if one["type"] == "event"]
    claimed, _, succeeded, done = envelopes
    assert claimed | {"id": "", "timestamp": "", "payload": {}} == {
        "id": "",
        "version": 1,
        "type": "job.claimed",
        "timestamp": "",
        "correlation_id": "trace-1",
        "trace_id": "trace-1",
        "cause": None,
        "tenant": None,
        "actor": {"agent": agent.pk, "role": "worker"},
        "schema": {"namespace": "collab", "name": "job.claimed"},
        "payload": {},
    }
    assert claimed["payload"]["worker_id"] == agent.pk
    assert succeeded["payload"]["result"] == {"answer": 42}
    assert done["payload"]["status"] == "succeeded"
    assert len({one["id"] for one in envelopes}) == len(envelopes)


def test_progress_is_told_with_what_the_worker_said(server):
    task = make_held_task()
    with watching(server, f"jobs:{task.pk}") as watcher:
        progress(task, pct=40, detail={"step": "link"})

        payload = watcher.event("job.progress")["payload"]

    assert (payload["pct"], payload["detail"]) == (40, {"step": "link"})
    assert payload["job_id"] == str(task.pk)


def test_a_failed_attempt_and_a_dead_letter_say_why(server):
    task = make_task(max_attempts=2)
    channel, agent = f"jobs:{task.pk}", make_agent()
    with watching(server, channel) as watcher, watching(server, BUS) as bus:
        for reason in ("first", "second"):
            give(agent, task.channel)
            reports.report(agent.pk, [Outcome(task.pk, False, reason=reason, retriable=True)])
            failed = watcher.event("job.failed")["payload"]
            assert failed["will_retry"] == (reason == "first")
        dead = bus.event("job.dead_lettered")["payload"]

    assert dead["error"] == {
        "message": "second",
        "reason": "exhausted_retries",
        "stage": "exec",
    }
    assert "job.dead_lettered" not in watcher.types(channel)


def test_a_client_that_comes_back_gets_all_that_it_missed_in_order_and_once(server):
    task, agent = make_task(), make_agent()
    channel = f"jobs:{task.pk}"
    with watching(server, channel) as first:
        give(agent, task.channel)
        first.event("job.claimed")
    work_off(task, agent.pk)

    with watching(server, channel, after=first.cursor) as again:
        again.event("job.done")
        tasks.cancel(make_task(task.channel).pk, by="tests")
        again.say(type="ping")
        again.answer("pong")

    assert first.types(channel) + again.types(channel) == LIFE
    assert len({*first.ids(channel), *again.ids(channel)}) == len(LIFE)


def test_a_client_may_go_on_at_another_process(server):
    task, agent = make_task(), make_agent()
    channel = f"jobs:{task.pk}"
    with serving() as other:
        with watching(server, channel) as here, watching(other, channel) as there:
            give(agent, task.channel)
            assert here.event("job.claimed") == there.event("job.claimed")
        work_off(task, agent.pk)
        with watching(other, channel, after=here.cursor) as again:
            again.event("job.done")

    assert again.types(channel) == LIFE[1:]


def test_what_is_committed_late_holds_the_cursor_and_is_told(server):
    given = connections[DEFAULT_DB_ALIAS].get_connection_params()
    kept = {name: value for name, value in given.items() if name not in direct.OF_DJANGO}
    channel = make_channel()
    with watching(server, BUS) as watcher, psycopg.connect(**kept) as slow:
        slow.execute("UPDATE tasks_channel SET paused_at = now() WHERE id = %s", [channel.pk])
        make_channel("quick")
        watcher.event("channel.created")
        cursor = watcher.cursor
        slow.commit()
        watcher.event("channel.paused")

    with watching(server, BUS, after=cursor) as again:
        again.event("channel.created")
    assert set(watcher.ids(BUS)) == {*again.ids(BUS)}


def test_events_that_agents_post_are_not_told(server):
    task = make_held_task()
    with watching(server, f"jobs:{task.pk}", BUS) as watcher:
        journal.post(
            agent_id=task.agent_id,
            type_="task.completed",
            task_id=str(task.pk),
            payload={"to": "done"},
            idempotency_key="",
            caller=ADMINISTRATOR,
        )
        progress(task, pct=1)
        watcher.event("job.progress")

    assert {*watcher.types(f"jobs:{task.pk}"), *watcher.types(BUS)} == {"job.progress"}


def test_tasks_of_sweeps_are_no_jobs(server):
    [of_sweep] = tasks_of(make_job(tasks=1))
    with watching(server, BUS) as watcher:
        refused = watcher.subscribe(f"jobs:{of_sweep.pk}")
        agent = make_agent(protocol="spot")
        give(agent, of_sweep.channel)
        make_task()
        watcher.event("job.created")

    assert (refused["status"], refused["code"]) == (404, "not_found")
    assert watcher.types(BUS)[-1:] == ["job.created"]
    assert "job.claimed" not in watcher.types(BUS)


@pytest.mark.parametrize(
    "channel",
    [
        "",
        "jobs",
        "jobs:",
        "jobs:nonsense",
        "jobs:01900000-0000-7000-8000-000000000000",
        "agents:nobody",
        "agents:a\0b",
        "agents:" + "x" * 400,
        "system:other",
        7,
        None,
        ["jobs"],
    ],
)
def test_an_unknown_channel_is_refused_and_the_socket_stays(server, channel):
    with watching(server) as watcher:
        refused = watcher.subscribe(channel)
        assert refused["type"] == "error"
        assert refused["status"] in {400, 404}
        assert refused.keys() >= {"error", "details", "code", "hint", "channel"}
        assert watcher.subscribe(BUS)["type"] == "subscribed"


@pytest.mark.parametrize(
    "message",
    ["nonsense", "[]", "7", "{}", '{"type": "shout"}', '{"type": 7}', '"\\ud800"'],
)
def test_what_is_no_message_is_refused_and_the_socket_stays(server, message):
    with watching(server) as watcher:
        watcher.socket.send(message)
        assert watcher.answer("error")["status"] == 400
        watcher.socket.send(b"\x00\xff")
        assert watcher.answer("error")["status"] == 400
        watcher.say(type="ping", ref="a")
        assert watcher.answer("pong")


@pytest.mark.parametrize("after", ["x", "-1", "9" * 20, 1.5, True, [1], {}])
def test_an_after_that_is_no_cursor_is_refused(server, after):
    with watching(server) as watcher:
        assert watcher.subscribe(BUS, after=after)["code"] == "validation_error"


def test_a_cursor_that_the_journal_does_not_reach_is_said_to_be_incomplete(server):
    task = make_task()
    channel = f"jobs:{task.pk}"
    with watching(server) as watcher:
        answer = watcher.subscribe(channel, after="9" * 18)
        assert answer["complete"] is False
        give(make_agent(), task.channel)

        assert watcher.event("job.claimed")  # what follows is told all the same


def test_a_socket_has_so_many_channels_and_no_more(server):
    task = make_task()
    names = [make_agent().pk for _ in range(100)]
    with watching(server) as watcher:
        for name in names:
            assert watcher.subscribe(f"agents:{name}")["type"] == "subscribed"

        assert watcher.subscribe(f"jobs:{task.pk}")["code"] == "too_many_channels"
        watcher.say(type="unsubscribe", channel=f"agents:{names[0]}")
        watcher.answer("unsubscribed")
        assert watcher.subscribe(f"jobs:{task.pk}")["type"] == "subscribed"


@pytest.mark.parametrize("spelled", [str, lambda pk: str(pk).upper(), lambda pk: f"{{{pk}}}"])
def test_nothing_is_told_of_a_channel_that_was_left(server, spelled):
    task = make_task()
    with watching(server, f"jobs:{task.pk}", BUS) as watcher:
        watcher.say(type="unsubscribe", channel=f"jobs:{spelled(task.pk)}")
        watcher.answer("unsubscribed")
        give(make_agent(), task.channel)
        watcher.event("job.claimed")

    assert watcher.types(f"jobs:{task.pk}") == []


def test_a_user_may_watch_what_is_theirs_and_no_more(server):
    mine, other = of_person("User")[1], of_person("Operator")[0].user
    own = make_task()
    foreign = make_task(user=other)
    with watching(server, headers=bearer(mine)) as watcher:
        assert watcher.subscribe(f"jobs:{own.pk}")["type"] == "subscribed"
        assert watcher.subscribe(f"jobs:{foreign.pk}")["status"] == 403
        assert watcher.subscribe(BUS)["code"] == "forbidden"
        assert watcher.subscribe(f"agents:{make_agent().pk}")["type"] == "subscribed"


@pytest.mark.parametrize(("headers", "code"), [({}, 4401), ("agent", 4403)])
def test_who_may_not_see_jobs_opens_no_socket(server, headers, code):
    given = bearer(of_agent()[1]) if headers == "agent" else headers
    with opened(server, headers=given) as watcher:
        assert watcher.end() == code


@pytest.mark.parametrize("name", ["token", "apikey"])
def test_a_token_may_come_in_the_query(server, name):
    secret = of_person("Viewer")[1]
    with watching(server, BUS, headers={}, **{name: secret}) as watcher:
        assert watcher.messages[-1]["type"] == "subscribed"


def test_a_page_of_another_site_opens_none(server):
    with pytest.raises(InvalidStatus) as refused, opened(server, headers={"Origin": "http://x.y"}):
        pass
    assert refused.value.response.status_code == 403


def test_a_socket_ends_with_its_token(server):
    token, secret = of_person("Viewer")
    with watching(server, BUS, headers=bearer(secret)) as watcher:
        started = time.monotonic()
        accounts.revoke(token.pk, by=ADMINISTRATOR, reason="a test")

        assert watcher.end() == 4401
    assert time.monotonic() - started < 5


def test_a_worker_is_present_at_once_when_it_claims_and_every_few_seconds(server):
    agent, task = make_agent(capacity=4), make_task()
    channel = f"agents:{agent.pk}"
    with watching(server, channel) as watcher:
        begun = watcher.answer("presence")["presence"]
        give(agent, task.channel)
        assert watcher.event("task.assign")["payload"]["job_id"] == str(task.pk)
        claimed_at = time.monotonic()
        busy = watcher.until(is_present(status="busy"))
        assert time.monotonic() - claimed_at < 2
        times = []
        for _ in range(3):
            watcher.answer("presence")
            times.append(time.monotonic())

    assert begun | {"lastSeenAt": ""} == {
        "agentId": agent.pk,
        "executorId": None,
        "status": "idle",
        "version": None,
        "lastSeenAt": "",
        "running": 0,
        "capacity": 4,
        "held": 1 - 1,
    }
    assert (busy["presence"]["held"], busy["presence"]["running"]) == (1, 1)
    assert presence.EVERY >= 5
    assert 4.5 < times[2] - times[1] < 10


def is_present(**values):
    return lambda one: one["type"] == "presence" and values.items() <= one["presence"].items()


def test_a_worker_says_how_busy_it_is_with_each_heartbeat(server):
    agent = make_agent()
    with watching(server, f"agents:{agent.pk}") as watcher:
        first = watcher.event("worker.metrics")
        agents.beat(agents.Beat(agent.pk, capacity=7))
        second = watcher.event("worker.metrics")

    assert second["payload"]["capacity"] == 7
    assert first["id"] != second["id"]


def test_an_announced_presence_is_told_at_once(server):
    agent = make_agent()
    with watching(server, f"agents:{agent.pk}", BUS) as watcher:
        silence(agent)
        agents.drain(agent.pk, by="tests")
        status = watcher.event("agent.status")["payload"]
        watcher.until(is_present(status="offline"))

    assert (status["event"], status["agentId"]) == ("drained", agent.pk)


def test_pauses_of_channels_are_on_the_bus(server):
    channel = make_channel()
    with watching(server, BUS) as watcher:
        Channel.objects.filter(pk=channel.pk).update(paused_at="2026-01-01T00:00:00Z")

        assert watcher.event("channel.paused")["payload"]["name"] == channel.name


def test_the_process_that_stops_says_so_and_nothing_is_lost(server):
    task, agent = make_task(), make_agent()
    channel = f"jobs:{task.pk}"
    with serving() as own:
        with watching(own, channel) as watcher:
            give(agent, task.channel)
            watcher.event("job.claimed")
            cursor, started = watcher.cursor, time.monotonic()
            own.stop()
            assert watcher.end() == 1012
            assert time.monotonic() - started < 5
        work_off(task, agent.pk)
        own.start()
        with watching(own, channel, after=cursor) as again:
            again.event("job.done")

    assert again.types(channel) == LIFE[1:]
    assert json.dumps(own.errors).count("Traceback") == 0


def test_a_user_is_told_of_a_worker_of_nobody_only_what_is_no_other_users(server):
    mine, secret = of_person("User")
    other = of_person("Operator")[0].user
    agent, channel = make_agent(), make_channel()
    foreign = make_task(channel, user=other, type="theirs")
    give(agent, channel)
    with watching(server) as before:
        cursor = before.cursor
    make_task(channel, user=mine.user, type="mine")
    name = f"agents:{agent.pk}"
    with watching(server, name, headers=bearer(secret)) as watcher, watching(server, name) as all_:
        work_off(foreign, agent.pk)
        own = give(agent, channel)
        work_off(own, agent.pk)
        watcher.event("task.result"), all_.event("task.result"), all_.event("task.result")
    with watching(server, name, headers=bearer(secret), after=cursor) as again:
        again.event("task.result")

    told = [one["event"] for one in [*watcher.messages, *again.messages] if told_in(one, name)]
    jobs = {one["payload"]["job_id"] for one in told if one["type"].startswith("task.")}
    assert jobs == {str(own.pk)}
    assert "task.assign" in watcher.types(name)
    assert all_.types(name).count("task.result") == 2


def test_a_user_is_told_all_that_an_own_worker_does(server):
    mine, secret = of_person("User")
    agent, task = make_agent(), make_task(user=of_person("Operator")[0].user)
    Agent.objects.filter(pk=agent.pk).update(user=mine.user)
    name = f"agents:{agent.pk}"
    with watching(server, name, headers=bearer(secret)) as watcher:
        give(agent, task.channel)

        assert watcher.event("task.assign")["payload"]["job_id"] == str(task.pk)


@pytest.mark.parametrize("verb", [{}, [], ["ping"], {"a": 1}, None, 1])
def test_a_message_of_no_type_is_answered_and_the_socket_stays(server, verb):
    with watching(server) as watcher:
        watcher.say(type=verb, channel="x")
        assert watcher.answer("error")["code"] == "validation_error"
        watcher.say(type="ping")
        assert watcher.answer("pong")


def test_missed_events_of_many_bytes_are_said_to_be_incomplete(server):
    task = make_held_task()
    channel = f"jobs:{task.pk}"
    with watching(server, channel) as watcher:
        cursor = watcher.cursor
    for _ in range(280):
        progress(task, pct=1, detail="x" * 16_000)
    with watching(server) as again:
        assert again.subscribe(channel, after=cursor)["complete"] is False
        progress(task, pct=2)
        assert again.event("job.progress")["payload"]["pct"] == 2


def test_missed_events_that_are_read_piece_by_piece_are_all_told_once(server):
    task = make_held_task()
    channel = f"jobs:{task.pk}"
    with watching(server, channel) as watcher:
        cursor = watcher.cursor
    for number in range(520):
        progress(task, pct=number)
    with watching(server) as again:
        assert again.subscribe(channel, after=cursor)["complete"] is True
        again.until(lambda one: one["event"]["payload"].get("pct") == 519)

    assert [one["event"]["payload"]["pct"] for one in again.messages[2:]] == list(range(520))


def test_who_takes_the_id_of_a_removed_worker_is_not_told_what_that_one_did(server):
    mine, secret = of_person("User")
    agent = make_agent()
    name = f"agents:{agent.pk}"
    with watching(server, name) as watcher:
        cursor = watcher.cursor
    task = make_task(user=of_person("Operator")[0].user)
    give(agent, task.channel)
    work_off(task, agent.pk)
    agents.remove([agent.pk], by="tests")
    make_agent(agent.pk)
    Agent.objects.filter(pk=agent.pk).update(user=mine.user)

    with watching(server, name, headers=bearer(secret), after=cursor) as again:
        again.answer("presence")
    with watching(server, name, after=cursor) as all_:
        all_.answer("presence")

    assert not [type_ for type_ in again.types(name) if type_.startswith("task.")]
    assert "task.result" in all_.types(name)
