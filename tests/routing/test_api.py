"""`/functions/v1/router-select` and `/api/metrics/routing`: contract 003, 4.4, 5.1 and 5.4."""

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client

from routing import calls
from routing.candidates import RouteRequest
from routing.models import ProviderHealth, RoutingSnapshot
from tests.accounts.tokens import client_of, issue, of_agent, of_person
from tests.console.people import make_person
from tests.metrics.reading import of, samples
from tests.routing.making import MESSAGES, QUICK, SECRET, make_key, make_model, make_policy

pytestmark = pytest.mark.django_db

SELECT, METRICS = "/functions/v1/router-select", "/api/metrics/routing"


def select(client=None, **body):
    return (client or Client()).post(SELECT, json.dumps(body), content_type="application/json")


def metrics(client=None, **query):
    return (client or Client()).get(METRICS, {"service": "chat", **query})


@pytest.fixture
def models():
    make_key("dear")
    make_model("dear", "large", needs_key=True, default_region="eu")
    make_model("cheap", "small", input_usd_per_1k=0, output_usd_per_1k=0)
    make_model("vectors", "e", service="embeddings")


def test_models_are_ranked_with_where_to_call_them(models):
    answer = select(expected_tokens={"in": 800, "out": 1200}, traceId="t-1").json()

    assert [one["model"] for one in answer["ranked"]] == ["small", "large"]
    large = answer["ranked"][1]
    assert (large["rank"], large["est_cost_usd"], large["region"]) == (2, 3.2, "eu")
    assert large["base_url"] == "https://models.example.org/v1"
    assert large["headers"] == {"Authorization": "Bearer {vault:dear}"}
    assert answer["ranked"][0]["headers"] == {}
    assert (large["p95_ms"], large["penalties"]) == (None, [])
    assert set(large["parts"]) == {"policy", "cost", "latency", "health", "region"}
    assert answer["metadata"] == {
        "policy_version": "none",
        "policies": [],
        "scoring": "v2",
        "reason": "",
        "flags": {"degraded": False},
    }
    assert (len(answer["request_id"]), answer["trace_id"]) == (26, "t-1")
    kept = RoutingSnapshot.objects.get()
    assert (kept.request_id, kept.outcome) == (answer["request_id"], "ranked")
    assert kept.selected_model == "small"
    assert SECRET not in json.dumps(answer)


def test_the_words_of_the_older_version_are_taken(models):
    body = {"service": "embeddings", "context_tokens": 100, "sla_ms": 500, "domain_tags": ["law"]}

    answer = select(**body, cost_sensitivity="high", intended_model="e").json()

    assert [one["model"] for one in answer["ranked"]] == ["e"]
    kept = RoutingSnapshot.objects.get()
    assert (kept.service, kept.intent, kept.intended_model) == ("embeddings", "embeddings", "e")
    assert kept.request == {
        "tokens_in": 100,
        "tokens_out": 0,
        "latency_slo_ms": 500,
        "priority": "normal",
        "cost_sensitivity": "high",
        "region": "",
        "tags": ["law"],
    }


def test_the_service_follows_from_the_intent(models):
    assert [one["model"] for one in select(intent="embeddings").json()["ranked"]] == ["e"]
    assert len(select(intent="code").json()["ranked"]) == 2


def test_the_older_scores_by_a_setting(models, settings):
    settings.ROUTER_SCORE_V2 = False

    answer = select().json()

    assert (answer["metadata"]["scoring"], answer["ranked"][0]["score"]) == ("v1", 102.0)
    assert answer["ranked"][0]["parts"] == {}


def test_a_policy_shows_in_its_version_and_in_reasons(models):
    make_policy("no dear ones", {"deny": ["dear"]}, match_conditions={"channel": "nightly"})

    nightly = select(channel="nightly", intended_model="large").json()
    other = select(channel="daily").json()

    assert nightly["excluded"] == [
        {"provider": "dear", "model": "large", "region": "eu", "reason": "denied"}
    ]
    assert nightly["metadata"]["reason"] == "degraded_from_intended"
    assert nightly["metadata"]["flags"] == {"degraded": True}
    assert nightly["metadata"]["policies"] == ["no dear ones"]
    assert len(nightly["metadata"]["policy_version"]) == 12
    assert other["excluded"] == []


def test_none_is_200_with_the_reason():
    answer = select()

    assert answer.status_code == 200
    body = answer.json()
    assert (body["ranked"], body["metadata"]["reason"]) == ([], "no_candidate")


WRONG = [
    ({"service": "speech"}, "service"),
    ({"intent": "speech"}, "intent"),
    ({"expected_tokens": 5}, "expected_tokens"),
    ({"expected_tokens": {"in": -1}}, "expected_tokens"),
    ({"expected_tokens": {"in": 10**8}}, "expected_tokens"),
    ({"context_tokens": "5"}, "context_tokens"),
    ({"latency_slo_ms": 0}, "latency_slo_ms"),
    ({"sla_ms": 10**9}, "sla_ms"),
    ({"priority": "urgent"}, "priority"),
    ({"cost_sensitivity": 1}, "cost_sensitivity"),
    ({"intended_model": "x" * 402}, "intended_model"),
    ({"region": ["eu"]}, "region"),
    ({"domain_tags": "law"}, "domain_tags"),
    ({"domain_tags": ["x" * 101]}, "domain_tags"),
    ({"domain_tags": [f"t{n}" for n in range(51)]}, "domain_tags"),
    ({"tenant_id": 5}, "tenant_id"),
    ({"tenant_id": "of nobody"}, "tenant_id"),
    ({"agentId": "x" * 201}, "agentId"),
    ({"channel": 1}, "channel"),
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=range(len(WRONG)))
def test_what_makes_no_sense_is_refused_and_leaves_nothing(body, field):
    answer = select(**body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "validation_error"
    assert list(answer.json()["details"]) == [field]
    assert not RoutingSnapshot.objects.exists()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"5", b'{"channel": "\\u0000"}'])
def test_a_body_that_is_none(raw):
    answer = Client().post(SELECT, raw, content_type="application/json")

    assert answer.status_code == 400


@pytest.mark.parametrize("spelled", [str, str.upper])
def test_a_body_may_come_with_its_digest(spelled):
    raw = b'{"intent": "code"}'
    sent = {"Content-SHA256": spelled(hashlib.sha256(raw).hexdigest())}

    good = Client().post(SELECT, raw, content_type="application/json", headers=sent)
    bad = Client().post(SELECT, raw + b" ", content_type="application/json", headers=sent)

    assert good.status_code == 200
    assert (bad.status_code, bad.json()["code"]) == (422, "checksum_mismatch")
    assert RoutingSnapshot.objects.count() == 1


def test_a_policy_that_cannot_be_understood_keeps_all_from_being_ranked(models):
    make_policy("odd", {"denny": ["dear"]})

    answer = select()

    assert (answer.status_code, answer.json()["code"]) == (503, "policy_wrong")
    assert "odd has 'denny'" in answer.json()["error"]


def test_users_ask_for_themselves(models):
    token, secret = of_person("User", role="user")
    somebody = str(uuid4())

    assert select(client_of(secret), tenant_id=somebody).status_code == 200
    operator = client_of(of_person("Operator").secret)
    assert select(operator, tenant_id=somebody).status_code == 200

    by_operator, by_user = RoutingSnapshot.objects.all()
    assert by_user.tenant_id == token.user_id
    assert str(by_operator.tenant_id) == somebody


def test_who_may_not():
    of_person("Admin")

    assert select().status_code == 401
    assert select(client_of(of_person("Viewer").secret)).status_code == 403
    agent = client_of(of_agent("agent-1").secret)
    assert select(agent, agentId="agent-1").status_code == 403
    assert metrics(client_of(of_person("User", role="user").secret)).status_code == 403


@pytest.mark.parametrize(("scope", "status"), [("read", 200), ("sign", 403), ("ops", 403)])
def test_a_token_of_the_scope_read_may(scope, status):
    limited = client_of(issue(user=make_person("Admin"), scopes=[scope]).secret)

    assert select(limited).status_code == status
    assert metrics(limited).status_code == 403  # which is no function


def test_metrics_without_a_snapshot_show_how_it_would_be_and_keep_nothing(models):
    body = metrics().json()

    assert body["snapshot"] is None
    assert [one["model"] for one in body["ranked"]] == ["small", "large"]
    assert (body["ok"], body["scoring"], body["recent"]) == (True, "v2", [])
    assert not RoutingSnapshot.objects.exists()


def test_metrics_show_the_latest_snapshot_and_calls(models, serve):
    make_model("here", url=serve().url, input_usd_per_1k=0, output_usd_per_1k=0)
    make_policy("here alone", {"allow": ["here"]}, match_conditions={"channel": "here"})
    select()
    reply = calls.query_routed(RouteRequest(channel="here"), MESSAGES, patience=QUICK)
    select(service="embeddings")

    body = metrics().json()

    assert body["snapshot"]["id"] == reply.snapshot_id
    assert [one["provider"] for one in body["ranked"]] == ["here"]
    assert {one["reason"] for one in body["excluded"]} == {"not_allowed"}
    latest, first = body["recent"]
    assert latest["selected"] == {"provider": "here", "model": "m", "region": ""}
    assert (latest["outcome"], latest["failovers"]) == ("answered", 0)
    assert latest["score"] == body["ranked"][0]["score"]
    assert (first["outcome"], first["selected"]["model"]) == ("ranked", "small")
    assert len(metrics(limit=1).json()["recent"]) == 1
    assert len(metrics(service="embeddings").json()["recent"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"service": "speech"},
        {"service": ""},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "x"},
        {"limit": "\u0663"},
        {"limit": "1.5"},
    ],
)
def test_metrics_refuse_what_makes_no_sense(query):
    answer = metrics(**query)

    assert answer.status_code == 400
    assert answer.json()["code"] == "validation_error"
    assert set(answer.json()["details"]) == set(query)


def test_what_was_measured_is_shown_with_its_time(serve):
    make_model("here", url=serve().url)
    calls.query_routed(RouteRequest(), MESSAGES, patience=QUICK)

    [now] = select().json()["ranked"]
    [kept] = metrics().json()["ranked"]

    measured = ProviderHealth.objects.get().updated_at
    assert datetime.fromisoformat(now["health_updated_at"]) == measured
    assert now["health_updated_at"] == kept["health_updated_at"]
    assert (kept["p95_ms"], kept["error_rate"]) == (now["p95_ms"], now["error_rate"])
    assert kept["p95_ms"] > 0


def test_the_metrics_of_calls(serve):
    provider = serve(lambda exchange, asked: exchange.complete(tokens=(1_000, 500)))
    make_model("bad", url=serve(lambda e, asked: e.say(500, b"")).url, input_usd_per_1k=0)
    make_model("good", "gpt", url=provider.url, default_region="eu")
    request = RouteRequest(tokens_in=1_000, agent="agent-1", channel="nightly")
    calls.query_routed(request, MESSAGES, patience=QUICK)

    found = samples(Client().get("/metrics").content.decode())

    tokens = of(found, "cogo_llm_tokens_total", provider="good", model="gpt")
    assert tokens == {("in",): 1_000, ("out",): 500}
    assert of(found, "cogo_llm_cost_usd_total") == {("gpt", "good"): 2.0}
    assert of(found, "coordinator_llm_calls_total") == {("gpt", "good"): 1}
    assert of(found, "cogo_router_failover_total") == {("server_error",): 1}
    assert set(of(found, "cogo_router_rank_score")) == {("m", "bad", ""), ("gpt", "good", "eu")}
    assert of(found, "coordinator_llm_today_cost_usd") == {("agent-1", "nightly"): 2.0}
    assert of(found, "coordinator_llm_today_tokens", direction="out") == {
        ("agent-1", "nightly"): 500
    }


def test_the_summary_has_tokens_and_cost(serve):
    provider = serve(lambda exchange, asked: exchange.complete(tokens=(1_000, 500)))
    make_model("good", url=provider.url)
    calls.query_routed(RouteRequest(), MESSAGES, patience=QUICK)

    totals = Client().get("/api/metrics/summary").json()["totals"]
    before = Client().get("/api/metrics/summary", {"to": "2020-01-02T00:00:00Z"}).json()["totals"]

    assert (totals["tokensIn"], totals["tokensOut"], totals["costUsd"]) == (1_000, 500, 2.0)
    assert (before["tokensIn"], before["costUsd"]) == (0, 0)


def test_health_tells_of_providers(serve):
    make_model("good", url=serve().url)
    calls.query_routed(RouteRequest(), MESSAGES, patience=QUICK)

    [one] = Client().get("/api/metrics/health").json()["providers"]

    assert (one["provider"], one["error_rate"], one["success_rate"]) == ("good", 0, 1)
    assert one["p95_ms"] == one["p50_ms"] == ProviderHealth.objects.get().latency_ms
    assert one["parked_because"] == ""


def test_prices_are_exact(serve):
    make_model(
        "good",
        url=serve(lambda e, asked: e.complete(tokens=(1, 0))).url,
        input_usd_per_1k=Decimal("0.000001"),
    )

    reply = calls.query_routed(RouteRequest(), MESSAGES, patience=QUICK)

    assert reply.cost_usd == Decimal("0.000000001")
