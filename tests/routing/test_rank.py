"""The ranking: contract 003, 5.2 to 5.4, and what must hold for any values."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator_project.env import BASE_DIR
from problems import Invalid
from routing.candidates import Intent, Policy, RouteRequest, Scoring, Service
from routing.rank import DEGRADED, NO_CANDIDATE, SLOW_FOR, rank
from tests.routing.making import NOW, candidate

WANTED = RouteRequest(tokens_in=800, tokens_out=1200, latency_slo_ms=2000)


def names(ranking):
    return [one.candidate.name for one in ranking.ranked]


def reasons(ranking):
    return {one.candidate.name: str(one.reason) for one in ranking.excluded}


def of_vector(name, price_in, price_out, p95, errors, region, **fields):
    provider, model = name.split("/")
    prices = {"input_usd_per_1k": Decimal(price_in), "output_usd_per_1k": Decimal(price_out)}
    health = {"p95_ms": p95, "error_rate": errors}
    return candidate(provider, model, region, **prices, **health, **fields)


VECTOR = [
    of_vector("alpha/a-large", ".003", ".015", 1450.0, 0.01, "near"),
    of_vector("beta/b-mid", ".0025", ".010", 2500.0, 0.02, "far"),
    of_vector("gamma/g-small", ".0005", ".0015", 900.0, 0.30, "near"),
    of_vector("delta/d-mid", ".001", ".004", 1800.0, 0.005, "far", rate_limited=True),
]


def test_the_vector_of_the_contract():
    policy = Policy(max_error_rate=0.35, region_prefs={"near": 1.0})

    found = rank(WANTED, VECTOR, policy, NOW)

    assert [
        (one.candidate.name, str(one.est_cost), round(one.score, 4)) for one in found.ranked
    ] == [
        ("beta/b-mid", "0.0140", 0.8013),
        ("gamma/g-small", "0.0022", 0.8),
        ("alpha/a-large", "0.0204", 0.798),
        ("delta/d-mid", "0.0056", 0.7366),
    ]
    assert found.ranked[1].parts["policy"] == 0.6
    assert found.ranked[3].penalties == ["rate_limited"]


def test_an_intended_model_that_is_healthy_is_first():
    found = rank(replace(WANTED, intended_model="a-large"), VECTOR, Policy(), NOW)

    assert names(found)[0] == "alpha/a-large"
    assert (found.degraded, found.reason) == (False, "")


@pytest.mark.parametrize("intended", ["a-large", "alpha/a-large"])
def test_an_intended_model_that_is_not_healthy_is_degraded_to_the_cheapest(intended):
    policy = Policy(max_latency_ms=1_000)

    found = rank(replace(WANTED, intended_model=intended), VECTOR, policy, NOW)

    assert names(found) == ["gamma/g-small", "alpha/a-large"]  # which stays as the last resort
    assert (found.degraded, found.reason) == (True, DEGRADED)


def test_another_model_of_the_same_provider_is_preferred_to_a_cheaper_one():
    models = [*VECTOR, of_vector("alpha/a-small", ".01", ".02", 500.0, 0.0, "near")]

    found = rank(
        replace(WANTED, intended_model="a-large"), models, Policy(deny=frozenset({"a-large"})), NOW
    )

    assert names(found)[0] == "alpha/a-small"
    assert found.degraded
    assert reasons(found) == {"alpha/a-large": "denied"}


def test_a_model_that_nobody_knows_is_degraded():
    found = rank(replace(WANTED, intended_model="x"), VECTOR, Policy(), NOW)

    assert (names(found)[0], found.reason) == ("gamma/g-small", DEGRADED)


@pytest.mark.parametrize("said", ["gamma", "gamma/*", "g-small", "gamma/g-small", "*"])
def test_a_denied_model_is_excluded_though_it_is_cheap(said):
    found = rank(WANTED, VECTOR, Policy(deny=frozenset({said})), NOW)

    assert "gamma/g-small" not in names(found)
    assert reasons(found)["gamma/g-small"] == "denied"


def test_what_is_not_allowed_is_excluded():
    found = rank(WANTED, VECTOR, Policy(allow=frozenset({"beta", "d-mid"})), NOW)

    assert names(found) == ["delta/d-mid", "beta/b-mid"]
    assert set(reasons(found).values()) == {"not_allowed"}


def test_that_there_is_none_is_explicit():
    found = rank(WANTED, VECTOR, Policy(deny=frozenset({"*"})), NOW)

    assert (list(found.ranked), found.reason, found.first) == ([], NO_CANDIDATE, None)
    assert len(found.excluded) == 4
    assert rank(WANTED, [], Policy(), NOW).reason == NO_CANDIDATE


@pytest.mark.parametrize(
    ("budget", "penalty"),
    [
        ({"max_usd_per_call": Decimal("0.02")}, ["budget_exceeded"]),
        ({"max_usd_per_call": Decimal("0.0204")}, []),
        ({"daily_usd": Decimal("5.02")}, ["budget_exceeded"]),
        ({"daily_usd": Decimal("5.0204")}, []),
    ],
)
def test_what_exceeds_the_budget_is_penalized_or_excluded(budget, penalty):
    dear = replace(VECTOR[0], spent_today=Decimal(5))

    [one] = rank(WANTED, [dear], Policy(**budget), NOW).ranked
    free = rank(WANTED, [dear], Policy(), NOW).ranked[0]
    hard = rank(WANTED, [dear], Policy(**budget, budget_is_hard=True), NOW)

    assert one.penalties == penalty
    assert round(free.score - one.score, 6) == (0.3 if penalty else 0)
    assert reasons(hard) == ({"alpha/a-large": "budget_exceeded"} if penalty else {})


def test_a_pin_is_the_only_model_of_its_intent():
    policy = Policy(hard_pins={"code": "delta/d-mid"})

    pinned = rank(replace(WANTED, intent=Intent.CODE, intended_model="x"), VECTOR, policy, NOW)
    free = rank(WANTED, VECTOR, policy, NOW)

    assert (names(pinned), pinned.degraded) == (["delta/d-mid"], False)
    assert set(reasons(pinned).values()) == {"not_pinned"}
    assert len(free.ranked) == 4


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"context_limit": 1_999}, "context_too_small"),
        ({"context_limit": 2_000}, None),
        ({"max_tokens": 1_199}, "context_too_small"),
        ({"max_tokens": 1_200}, None),
        ({"parked_because": "rate_limited"}, "parked: rate_limited"),
    ],
)
def test_what_cannot_serve_is_excluded_also_where_it_is_intended(fields, reason):
    one = candidate(**fields)

    found = rank(replace(WANTED, intended_model="m"), [one], Policy(), NOW)

    assert reasons(found).get("p/m") == reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"p95_ms": 1_001.0}, "too_slow"),
        ({"p95_ms": 1_000.0}, None),
        ({"error_rate": 0.21}, "failing"),
        ({"error_rate": 0.2}, None),
    ],
)
def test_what_is_over_a_limit_is_excluded(fields, reason):
    policy = Policy(max_latency_ms=1_000, max_error_rate=0.2)

    found = rank(WANTED, [candidate(**fields)], policy, NOW)

    assert reasons(found).get("p/m") == reason


def test_who_was_slow_a_while_ago_gets_another_call():
    policy = Policy(max_latency_ms=100)
    slow = candidate(measured_at=NOW - SLOW_FOR)
    older = candidate(measured_at=NOW - SLOW_FOR - timedelta(seconds=1))

    assert reasons(rank(WANTED, [slow], policy, NOW)) == {"p/m": "too_slow"}
    assert names(rank(WANTED, [older], policy, NOW)) == ["p/m"]


@pytest.mark.parametrize(
    ("minutes", "latency"), [(0, 0.2), (10, 0.2), (70, 0.4), (130, 0.8), (600, 1.0)]
)
def test_an_old_latency_counts_less(minutes, latency):
    """One call that took too long must not keep a provider from being called for ever."""
    one = candidate(p95_ms=10_000.0, measured_at=NOW - timedelta(minutes=minutes))

    [found] = rank(WANTED, [one], Policy(), NOW).ranked

    assert found.parts["latency"] == pytest.approx(latency)
    assert found.candidate.p95_ms == 10_000


@pytest.mark.parametrize(("age", "health"), [(0, 1.0), (24, 1.0), (48, 0.5), (72, 0.25), (-5, 1.0)])
def test_old_health_counts_less(age, health):
    one = candidate(measured_at=NOW - timedelta(hours=age))

    [found] = rank(WANTED, [one], Policy(), NOW).ranked

    assert found.parts["health"] == pytest.approx(health)


def test_who_was_never_called_gets_a_call():
    new = candidate("new", p95_ms=None, error_rate=None, measured_at=None)
    bad = candidate("bad", error_rate=0.4)

    assert names(rank(WANTED, [bad, new], Policy(), NOW)) == ["new/m", "bad/m"]


def test_the_region_that_is_asked_for_is_preferred_where_no_policy_says():
    here, there = candidate(region="eu"), candidate(region="us")
    wanted = replace(WANTED, region="us")

    assert rank(wanted, [here, there], Policy(), NOW).ranked[0].candidate.region == "us"
    prefs = Policy(region_prefs={"eu": 1.0, "us": 0.2})
    assert rank(wanted, [here, there], prefs, NOW).ranked[0].candidate.region == "eu"


def test_equal_scores_are_put_in_order_by_cost_then_latency_then_name():
    models = [candidate("b"), candidate("a", "n"), candidate("a", "m"), candidate("c", p95_ms=1.0)]

    assert names(rank(WANTED, models, Policy(), NOW)) == ["c/m", "a/m", "a/n", "b/m"]


def test_the_older_formula():
    models = [
        candidate("slow", latency_ms=900.0, error_rate=0.5, context_limit=8_000),
        candidate("long", latency_ms=900.0, context_limit=1_000_000),
        candidate("new", latency_ms=None, error_rate=None, context_limit=8_000),
    ]

    found = rank(WANTED, models, Policy(), NOW, scoring=Scoring.V1)

    assert [(one.candidate.provider, one.score) for one in found.ranked] == [
        ("new", 194.0),
        ("long", 500.0),
        ("slow", 1342.0),
    ]
    assert found.scoring == "v1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"service": "speech"},
        {"intent": "speech"},
        {"tokens_in": -1},
        {"tokens_out": 10**8},
        {"latency_slo_ms": 0},
        {"agent": "x" * 201},
        {"channel": "a\0b"},
        {"agent": "\udcff"},  # as an argument of a command that is not of its encoding
        {"tags": ("a\0b",)},
        {"tags": ("x" * 101,)},
        {"tags": ("x",) * 51},
        {"priority": "urgent"},
    ],
    ids=str,
)
def test_a_request_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(Invalid):
        RouteRequest(**wrong)


floats = st.floats(0, 10**7, allow_nan=False)
shares = st.floats(0, 1, allow_nan=False)
candidates = st.builds(
    candidate,
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["m", "n"]),
    st.sampled_from(["", "eu"]),
    input_usd_per_1k=st.decimals(0, 100, places=4),
    output_usd_per_1k=st.decimals(0, 100, places=4),
    context_limit=st.integers(0, 10**6),
    max_tokens=st.none() | st.integers(0, 5_000),
    latency_ms=st.none() | floats,
    p95_ms=st.none() | floats,
    error_rate=st.none() | shares,
    measured_at=st.none()
    | st.builds(lambda hours: NOW - timedelta(hours=hours), st.integers(-10, 10_000)),
    parked_because=st.sampled_from(["", "bad_key"]),
    rate_limited=st.booleans(),
    cold=st.booleans(),
    spent_today=st.decimals(0, 1_000, places=2),
)
patterns = st.frozensets(st.sampled_from(["a", "b/*", "m", "c/n", "none"]), max_size=2)
policies = st.builds(
    Policy,
    allow=st.none() | patterns,
    deny=patterns,
    max_latency_ms=st.none() | floats,
    max_error_rate=st.none() | shares,
    region_prefs=st.dictionaries(st.sampled_from(["", "eu"]), shares),
    hard_pins=st.dictionaries(st.sampled_from(["code"]), st.sampled_from(["m", "a/n"])),
    max_usd_per_call=st.none() | st.decimals(0, 10, places=2),
    daily_usd=st.none() | st.decimals(0, 1_000, places=2),
    budget_is_hard=st.booleans(),
)
requests = st.builds(
    RouteRequest,
    service=st.just(Service.CHAT),
    intent=st.sampled_from([Intent.CHAT, Intent.CODE]),
    tokens_in=st.integers(0, 10**6),
    tokens_out=st.integers(0, 10**4),
    latency_slo_ms=st.integers(1, 10**5),
    intended_model=st.sampled_from(["", "m", "a/n", "unknown"]),
    region=st.sampled_from(["", "eu"]),
)
unique = st.lists(
    candidates, max_size=8, unique_by=lambda one: (one.provider, one.model, one.region)
)


# On a busy machine the first models take long to be made up.
on_a_busy_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@on_a_busy_machine
@given(requests, unique, policies, st.randoms(use_true_random=False))
def test_whatever_is_known(request, models, policy, random):
    found = rank(request, models, policy, NOW)

    assert all(0 <= one.score <= 1 for one in found.ranked)
    assert all(0 <= part <= 1 for one in found.ranked for part in one.parts.values())
    assert len(found.ranked) + len(found.excluded) == len(models)
    assert not any(one.candidate.is_among(policy.deny) for one in found.ranked)
    assert not any(one.candidate.parked_because for one in found.ranked)
    assert all(one.reason for one in found.excluded)
    assert bool(found.ranked) or found.reason == NO_CANDIDATE
    shuffled = list(models)
    random.shuffle(shuffled)
    assert rank(request, shuffled, policy, NOW) == found
    scores = [one.score for one in found.ranked]
    behind = scores[1:] if request.intended_model or policy.hard_pins else scores
    assert behind == sorted(behind, reverse=True)


@on_a_busy_machine
@given(requests, unique, policies)
def test_the_older_formula_excludes_the_same(request, models, policy):
    new = rank(request, models, policy, NOW)
    old = rank(request, models, policy, NOW, scoring=Scoring.V1)

    assert old.excluded == new.excluded
    assert {one.candidate for one in old.ranked} == {one.candidate for one in new.ranked}


def test_every_call_takes_this_way():
    """Whoever asks a provider has been ranked: there is one place that asks, and one that sends."""
    ours = [path for path in BASE_DIR.glob("[a-z]*/**/*.py") if "tests" not in path.parts]
    texts = {str(path.relative_to(BASE_DIR)): path.read_text() for path in ours}
    routed = {name: text for name, text in texts.items() if "routing" in text}

    assert [name for name, text in routed.items() if "attempts.ask(" in text] == [
        "routing/calls.py"
    ]
    senders = [name for name in routed if re.search(r"\bwire\.post\(", routed[name])]
    assert [name for name in senders if name.startswith("routing/")] == ["routing/attempts.py"]
    assert "RouterSelectClient().rank(request)" in texts["routing/calls.py"]
