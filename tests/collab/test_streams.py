"""Server-sent events of jobs: `/functions/v1/job-events` and `/api/collab/events/stream`."""

import time

import httpx
import pytest

from accounts import transitions as accounts
from collab import streams
from tasks import dead_letters, reports
from tasks import transitions as tasks
from tasks.rows import Outcome
from tests.accounts.tokens import ADMINISTRATOR, of_agent, of_person
from tests.collab.calls import UNKNOWN
from tests.collab.watching import following, work_off
from tests.factories import (
    give,
    make_agent,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    tasks_of,
)
from tests.serving import NO_TLS, serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("old_journal")]

JOB_EVENTS = "/functions/v1/job-events"
STREAM = "/api/collab/events/stream"


def names_of(stream):
    return [data["event_type"] for _, data, _ in stream.events if "event_type" in data]


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def test_a_job_is_followed_from_its_beginning_to_its_end(server):
    task, agent = make_task(type="build", trace="trace-1"), make_agent()
    with following(server, JOB_EVENTS, id=task.pk) as stream:
        assert stream.response.headers["Content-Type"] == "text/event-stream"
        assert stream.response.headers["Cache-Control"] == "no-cache"
        assert stream.response.headers["X-Accel-Buffering"] == "no"
        name, meta, _ = stream.next()
        assert (name, meta["status"], meta["job_id"]) == ("meta", "queued", str(task.pk))
        assert stream.next()[1]["event_type"] == "queued"
        give(agent, task.channel)
        assert stream.next()[1]["event_type"] == "assigned"
        work_off(task, agent.pk)

        assert stream.rest() == ["progress", "done"]

    _, done, number = stream.events[-1]
    assert names_of(stream) == ["queued", "assigned", "started", "succeeded"]
    assert done["id"] == int(number)
    assert (done["status"], done["result"], done["error"]) == ("succeeded", {"answer": 42}, None)
    assert done["trace_id"] == "trace-1"


def test_a_stream_that_broke_off_goes_on_after_the_last_id(server):
    task, agent = make_task(), make_agent()
    give(agent, task.channel)
    with following(server, JOB_EVENTS, id=task.pk) as first:
        first.next(), first.next(), first.next()
    work_off(task, agent.pk)

    with following(server, JOB_EVENTS, id=task.pk, after=first.last_id) as again:
        assert again.rest() == ["meta", "progress", "done"]
    with following(server, JOB_EVENTS, id=task.pk, last_event_id=first.last_id) as in_query:
        in_query.rest()

    assert names_of(first) + names_of(again) == ["queued", "assigned", "started", "succeeded"]
    assert names_of(in_query) == names_of(again)


def test_only_what_happened_after_a_time_comes(server):
    task, agent = make_held_task(), make_agent()
    with following(server, JOB_EVENTS, id=task.pk) as first:
        first.next(), first.next()
        at = first.next()[1]["created_at"]
    tasks.cancel(task.pk, by="tests", force=True)
    assert agent

    for given in (at, at.replace("Z", "+00:00")):
        with following(server, JOB_EVENTS, id=task.pk, last_event_ts=given) as stream:
            stream.rest()
        assert names_of(stream) == ["cancelled"]


def test_a_job_that_has_ended_is_done_at_once_also_for_who_has_its_last_event(server):
    task = make_held_task()
    work_off(task, task.agent_id)
    with following(server, JOB_EVENTS, id=task.pk) as stream:
        stream.rest()
    with following(server, JOB_EVENTS, id=task.pk, after=stream.last_id) as again:
        assert again.rest() == ["meta", "done"]

    assert stream.names[-1] == "done"
    assert again.events[-1][1]["status"] == "succeeded"


def test_a_dead_letter_that_was_given_another_try_is_not_done(server):
    task = make_held_task(max_attempts=1)
    reports.report(task.agent_id, [Outcome(task.pk, False, reason="no")])
    with following(server, JOB_EVENTS, id=task.pk) as stream:
        assert stream.rest()[-1] == "done"
    assert stream.events[-1][1]["status"] == "dead_lettered"
    assert stream.events[-1][1]["error"]["reason"] == "validation_failed"
    dead_letters.requeue([task.pk], by="tests", reason="again")

    with following(server, JOB_EVENTS, id=task.pk, max_ms=300) as stream:
        assert stream.rest()[-2:] == ["progress", "idle"]
    assert names_of(stream)[-2:] == ["failed_dlq", "requeued"]


@pytest.mark.parametrize("limit", ["idle_close_ms", "max_ms"])
def test_a_stream_ends_by_its_limits(server, limit):
    task = make_task()
    started = time.monotonic()
    with following(server, JOB_EVENTS, id=task.pk, **{limit: 700}) as stream:
        assert stream.rest() == ["meta", "progress", "idle"]
    assert 0.6 < time.monotonic() - started < 5


def test_what_happens_to_others_does_not_keep_a_stream_open(server):
    task, agent = make_task(), make_agent()
    with following(server, JOB_EVENTS, id=task.pk, idle_close_ms=1_500) as stream:
        stream.next(), stream.next()
        started = time.monotonic()
        while time.monotonic() - started < 1.0:
            give(agent, make_task().channel)
        assert stream.rest() == ["idle"]
    assert time.monotonic() - started < 5


def test_a_quiet_stream_is_kept_open_by_pings():
    ping = "from collab import streams; streams.PING_AFTER = 0.3"
    task = make_task()
    assert streams.PING_AFTER == 15
    with serving(ping) as server:
        with following(server, JOB_EVENTS, id=task.pk) as stream:
            names = [stream.next()[0] for _ in range(4)]
        assert names == ["meta", "progress", "ping", "ping"]
        with following(server, STREAM, id=task.pk) as stream:
            assert ": ping" in [next(stream.lines) for _ in range(10)]


def status_of(server, path, headers=None, **query):
    answer = httpx.get(
        server.url + path, params=query, headers=headers or server.headers, verify=NO_TLS
    )
    return answer.status_code, answer.json().get("code")


def test_what_is_asked_wrongly_is_refused(server):
    task = make_task()
    [of_sweep] = tasks_of(make_job(tasks=1))
    bad = [
        {},
        {"id": "x"},
        {"id": task.pk, "idle_close_ms": "x"},
        {"id": task.pk, "max_ms": "-1"},
        {"id": task.pk, "max_ms": "86400001"},
        {"id": task.pk, "last_event_ts": "yesterday"},
        {"id": task.pk, "last_event_ts": "9" * 15},
        {"id": task.pk, "last_event_id": "x"},
    ]
    for query in bad:
        assert status_of(server, JOB_EVENTS, **query) == (400, "validation_error"), query
    for path in (JOB_EVENTS, STREAM):
        for job_id in (UNKNOWN, of_sweep.pk):
            assert status_of(server, path, id=job_id) == (404, "not_found")
    assert status_of(server, STREAM, id="x") == (400, "validation_error")
    assert status_of(server, STREAM, after="x") == (400, "validation_error")


@pytest.mark.parametrize("path", [JOB_EVENTS, STREAM])
def test_what_is_declared_is_answered(client, path):
    """By Django's own client, whose answers are held to the schema."""
    begun = client.get(path, {"id": make_task().pk})
    begun.close()

    assert (begun.status_code, begun["Content-Type"]) == (200, "text/event-stream")
    assert client.get(path, {"id": UNKNOWN}).status_code == 404


def test_who_may_not_see_a_job_does_not_follow_it(server):
    other = of_person("Operator")[0].user
    foreign, own = make_task(user=other), make_task()
    user = bearer(of_person("User")[1])
    for path in (JOB_EVENTS, STREAM):
        assert status_of(server, path, user, id=foreign.pk) == (403, "forbidden")
        assert status_of(server, path, {"X-Api-Key": "nobody"}, id=own.pk)[0] == 401
        assert status_of(server, path, bearer(of_agent(f"a{path}")[1]), id=own.pk)[0] == 403
        with following(server, path, id=own.pk, headers=user) as stream:
            assert stream.next()


def test_all_events_of_a_job_come_by_their_names_until_it_ends(server):
    task, agent = make_task(), make_agent()
    with following(server, STREAM, id=task.pk) as stream:
        assert stream.next()[0] == "queued"
        give(agent, task.channel)
        work_off(task, agent.pk)

        assert stream.rest() == ["assigned", "started", "succeeded"]
    with following(server, STREAM, id=task.pk, after=stream.events[1][2]) as again:
        assert again.rest() == ["started", "succeeded"]


def test_all_jobs_are_followed_by_whoever_sees_all(server):
    with following(server, STREAM) as stream:
        stream.until_greeted()
        task = make_held_task()
        tasks.cancel(task.pk, by="tests", force=True)
        stream.until("cancelled")
    mark = stream.events[0][2]

    with following(server, STREAM, after=mark) as again:
        again.until("cancelled")
    assert stream.names == ["", "queued", "assigned", "cancelled"]
    assert again.names == stream.names[1:]


def test_users_follow_what_is_theirs_or_nobodys(server):
    other = of_person("Operator")[0].user
    channel = make_channel()
    with following(server, STREAM, headers=bearer(of_person("User")[1])) as stream:
        stream.until_greeted()
        make_task(channel, user=other)
        own = make_task(channel)
        _, data, _ = stream.until("queued")

    assert data["job_id"] == str(own.pk)


def test_a_stream_of_jobs_says_where_it_cannot_go_on(server):
    with following(server, STREAM, after="9" * 18) as stream:
        assert stream.next()[0] == "incomplete"
        make_task()
        assert stream.next()[0] == "queued"


@pytest.mark.parametrize("path", [JOB_EVENTS, STREAM])
def test_a_stream_ends_with_its_token(server, path):
    task = make_task()
    token, secret = of_person("Viewer")
    with following(server, path, id=task.pk, headers=bearer(secret)) as stream:
        stream.next()
        started = time.monotonic()
        accounts.revoke(token.pk, by=ADMINISTRATOR, reason="a test")
        stream.rest()
    assert time.monotonic() - started < 5


def test_streams_do_not_delay_the_stop():
    task = make_task()
    with serving() as server:
        with following(server, JOB_EVENTS, id=task.pk) as one, following(server, STREAM) as all_:
            one.next()
            all_.until_greeted()
            started = time.monotonic()
            server.stop()
            one.rest(), all_.rest()
        assert time.monotonic() - started < 5
