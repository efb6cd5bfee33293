"""Calls of models over real HTTP: failover, odd answers, and what is recorded."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models.functions import Now

from problems import Invalid
from routing import attempts, calls
from routing.candidates import RouteRequest
from routing.exceptions import CallRefused, NoAnswer, NoProvider
from routing.models import (
    FailoverTotal,
    RoutingSnapshot,
    UsageCounter,
    UsageTotal,
)
from routing.transitions import forget
from tests.routing.calling import ask, failing, health, make_two, results, snapshot
from tests.routing.making import MESSAGES, QUICK, SECRET, make_model, make_policy

pytestmark = pytest.mark.django_db


def test_an_answer_and_what_is_counted(serve):
    provider = serve(lambda exchange, asked: exchange.complete("yes", tokens=(1_000, 500)))
    make_model("one", "gpt", url=provider.url)

    reply = ask(temperature=0)

    assert (reply.text, reply.provider, reply.model, reply.failovers) == ("yes", "one", "gpt", 0)
    assert (reply.tokens_in, reply.tokens_out, reply.cost_usd) == (1_000, 500, Decimal(2))
    [asked] = provider.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {"model": "gpt", "messages": MESSAGES, "temperature": 0}
    assert "authorization" not in asked.headers
    usage = UsageCounter.objects.get()
    assert (usage.agent, usage.channel, usage.calls) == ("agent-1", "nightly", 1)
    assert (usage.input_tokens, usage.output_tokens, usage.cost) == (1_000, 500, 2)
    assert UsageTotal.objects.get().cost == 2
    kept = snapshot()
    assert (kept.outcome, kept.selected_model, kept.cost) == ("answered", "gpt", 2)
    assert (kept.request_id, kept.pk) == (reply.request_id, reply.snapshot_id)
    assert (kept.failovers, kept.is_estimated, len(kept.ranked)) == (0, False, 1)
    assert health("one").error_rate == 0
    assert health("one").latency_ms > 0


def test_embeddings(serve):
    def act(exchange, asked):
        vectors = [{"embedding": [0.5, 1.0]} for _ in asked.body["input"]]
        exchange.say_json(200, {"data": vectors, "usage": {"prompt_tokens": 4}})

    provider = serve(act)
    make_model("one", "e", url=provider.url, service="embeddings")
    request = RouteRequest(service="embeddings", intent="embeddings")

    reply = calls.embed_routed(request, ["a", "b"], patience=QUICK)

    assert reply.vectors == [[0.5, 1.0], [0.5, 1.0]]
    assert (reply.tokens_in, reply.tokens_out, reply.is_estimated) == (4, 0, False)
    assert provider.asked[0].path == "/v1/embeddings"


def slow(exchange, asked):
    exchange.wait(30)


def dripping(exchange, asked):
    exchange.send_response(200)
    exchange.send_header("Content-Length", "1000")
    exchange.end_headers()
    for _ in range(600):
        exchange.wfile.write(b" ")
        exchange.wait(0.05)


def cut_in_the_middle(exchange, asked):
    exchange.send_response(200)
    exchange.send_header("Content-Length", "1000")
    exchange.end_headers()
    exchange.wfile.write(b'{"choices":')
    exchange.cut()


def huge(exchange, asked):
    exchange.say(200, b'"' + b"x" * 2_000 + b'"')


def endless(exchange, asked):
    exchange.send_response(200)
    exchange.send_header("Transfer-Encoding", "chunked")
    exchange.end_headers()
    for _ in range(1_000):
        exchange.wfile.write(b"3e8\r\n" + b"x" * 1_000 + b"\r\n")


def redirecting(exchange, asked):
    exchange.say(302, b"", Location="http://127.0.0.1:1/elsewhere")


def nonsense(exchange, asked):
    exchange.wfile.write(b"SSH-2.0-nothing\r\n")
    exchange.close_connection = True


def saying(body, status=200):
    return lambda exchange, asked: exchange.say(status, body)


FAILING = {
    "500": (failing(500), "server_error", "no"),
    "503": (failing(503), "server_error", "no"),
    "401": (failing(401), "bad_key", "no"),
    "403": (failing(403), "bad_key", "no"),
    "429": (failing(429), "rate_limited", "no"),
    "slow": (slow, "timeout", "unknown"),
    "dripping": (dripping, "timeout", "unknown"),
    "cut": (lambda exchange, asked: exchange.cut(), "connection", "unknown"),
    "cut in the middle": (cut_in_the_middle, "connection", "unknown"),
    "huge": (huge, "answer_too_long", "unknown"),
    "endless": (endless, "answer_too_long", "unknown"),
    "redirect": (redirecting, "bad_answer", "no"),
    "nonsense": (nonsense, "connection", "unknown"),
    "no JSON": (saying(b"<html>"), "bad_answer", "unknown"),
    "no object": (saying(b"[]"), "bad_answer", "unknown"),
    "empty": (saying(b""), "bad_answer", "unknown"),
    "no choices": (saying(b'{"choices": []}'), "bad_answer", "unknown"),
    "an error in a good answer": (saying(b'{"error": {}}'), "bad_answer", "unknown"),
    "no message": (saying(b'{"choices": [{"message": 1}]}'), "bad_answer", "unknown"),
    "odd status": (saying(b"{}", 799), "bad_answer", "no"),
}


@pytest.mark.parametrize(("act", "result", "billed"), FAILING.values(), ids=FAILING)
def test_a_call_goes_on_to_the_next_candidate(serve, monkeypatch, act, result, billed):
    monkeypatch.setattr(attempts, "LONGEST_ANSWER", 1_500)
    bad, good = make_two(serve, act)

    reply = ask(patience=calls.Patience(connect=1, answer=0.6, total=20, rest=0.001))

    assert (reply.text, reply.provider, reply.failovers) == ("yes", "good", 1)
    assert (bad.count, good.count) == (1, 1)
    assert results() == [("bad", result, billed), ("good", "answered", "yes")]
    assert FailoverTotal.objects.get().reason == result
    assert health().last_error == result
    assert UsageCounter.objects.get().provider == "good"


def test_nobody_listens(serve):
    make_model("bad", url="http://127.0.0.1:1/v1", input_usd_per_1k=0)
    make_model("good", url=serve().url)

    assert ask().provider == "good"

    assert results()[0] == ("bad", "connection", "no")


@pytest.mark.parametrize("status", [400, 404, 408, 413, 422])
def test_what_is_the_fault_of_the_caller_goes_no_further(serve, status):
    bad, good = make_two(
        serve,
        lambda exchange, asked: exchange.say_json(
            status, {"error": {"code": "context_length_exceeded", "message": SECRET}}
        ),
    )

    with pytest.raises(CallRefused) as refused:
        ask()

    assert str(refused.value) == f"bad/m refuses the call with {status}: context_length_exceeded."
    assert (bad.count, good.count) == (1, 0)
    assert (snapshot().outcome, snapshot().failovers) == ("refused", 0)
    assert not UsageCounter.objects.exists()
    assert not FailoverTotal.objects.exists()
    assert health().error_rate == 0


def test_nobody_is_left(serve):
    one, two = serve(failing(500)), serve(failing(502))
    make_model("one", url=one.url)
    make_model("two", url=two.url)

    with pytest.raises(NoAnswer) as failed:
        ask()

    assert "one/m (server_error), two/m (server_error)" in str(failed.value)
    kept = snapshot()
    assert (kept.outcome, kept.reason, kept.failovers) == ("unanswered", "not_answered", 1)
    assert FailoverTotal.objects.get().count == 1  # there was none to go on to from the second


def test_who_may_not_be_called_is_named_with_the_reason():
    make_policy(action={"deny": ["*"]})
    for number in range(7):
        make_model(f"p{number}")

    with pytest.raises(NoProvider, match=r"p0/m \(denied\), .* and 2 more\.$"):
        ask()


def test_there_is_nobody():
    with pytest.raises(NoProvider, match="no model for this is set and enabled"):
        ask()

    assert (snapshot().outcome, snapshot().reason) == ("unanswered", "no_candidate")


@pytest.mark.parametrize(
    ("usage", "counted", "estimated"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 3}, (7, 3), False),
        ({"prompt_tokens": 0, "completion_tokens": 0}, (0, 0), False),
        ({"prompt_tokens": -7, "completion_tokens": 3}, (None, 3), True),
        ({"prompt_tokens": "7", "completion_tokens": 3}, (None, 3), True),
        ({"prompt_tokens": 7, "completion_tokens": 1e3}, (7, None), True),
        ({"prompt_tokens": True, "completion_tokens": 3}, (None, 3), True),
        ({"prompt_tokens": 10**30, "completion_tokens": 3}, (None, 3), True),
        ("many", (None, None), True),
        ([], (None, None), True),
        ({}, (None, None), True),
    ],
)
def test_tokens_that_cannot_be_are_estimated(serve, usage, counted, estimated):
    make_model("one", url=serve(lambda exchange, asked: exchange.complete(usage=usage)).url)

    reply = ask()

    tokens_in, tokens_out = counted
    assert reply.tokens_in == (len(json.dumps(MESSAGES, separators=(",", ":"))) + 3) // 4 or (
        reply.tokens_in == tokens_in
    )
    assert reply.tokens_out == tokens_out or (tokens_out is None and 0 < reply.tokens_out < 50)
    assert (reply.is_estimated, snapshot().is_estimated) == (estimated, estimated)


def test_the_connection_of_the_database_is_given_up(serve, monkeypatch):
    """Tests hold a transaction, in which it is kept; see test_races."""
    make_model("one", url=serve().url)
    seen = []
    monkeypatch.setattr(calls, "_let_go", lambda: seen.append(connection.in_atomic_block))

    ask()

    assert len(seen) == 1


def test_a_call_ends_in_time(serve):
    make_model("one", url=serve(slow).url)
    make_model("two", url=serve(slow).url)
    begun = datetime.now(UTC)

    with pytest.raises(NoAnswer):
        ask(patience=calls.Patience(connect=1, answer=0.5, total=0.4, rest=0.001))

    assert (datetime.now(UTC) - begun).total_seconds() < 5


@pytest.mark.parametrize(
    ("messages", "options"),
    [([{"content": object()}], {}), ([], {"x": {1, 2}}), ([{"content": "x" * 9_000_000}], {})],
    ids=["no JSON", "options are no JSON", "too long"],
)
def test_what_cannot_be_sent_is_refused_before_anybody_is_asked(messages, options):
    with pytest.raises(Invalid):
        calls.query_routed(RouteRequest(), messages, options=options, patience=QUICK)

    assert not RoutingSnapshot.objects.exists()


@pytest.mark.parametrize("call", [calls.query_routed, calls.embed_routed])
def test_a_call_is_of_its_service(call):
    other = "chat" if call is calls.embed_routed else "embeddings"

    with pytest.raises(Invalid):
        call(RouteRequest(service=other, intent=other), ["x"])


def test_what_is_old_is_forgotten_but_not_what_was_ever_used(serve, settings):
    make_model("one", url=serve().url)
    ask()
    ask()
    old = RoutingSnapshot.objects.first()
    RoutingSnapshot.objects.filter(pk=old.pk).update(created_at=Now() - timedelta(days=15))
    UsageCounter.objects.update(day=datetime.now(UTC).date() - timedelta(days=402))

    settings.SNAPSHOT_RETENTION = settings.USAGE_RETENTION = timedelta()
    assert forget() == 0
    settings.SNAPSHOT_RETENTION, settings.USAGE_RETENTION = timedelta(days=14), timedelta(days=400)
    assert forget() == 2

    assert RoutingSnapshot.objects.count() == 1
    assert UsageTotal.objects.get().calls == 2
