"""What policies say together, and what they may not say."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError

from routing.candidates import Intent, Policy, RouteRequest
from routing.policies import PolicyWrong, Rule, check_action, check_conditions, together
from tests.routing.making import NOW

WANTED = RouteRequest(intent=Intent.CODE, channel="nightly", tags=("law", "eu"))


def said(*rules, request=WANTED):
    return together([Rule(f"r{n}", *rule) for n, rule in enumerate(rules)], request, NOW)


def test_no_policy_says_nothing():
    assert said() == Policy()


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({}, True),
        ({"intent": "code"}, True),
        ({"intent": ["chat", "code"]}, True),
        ({"intent": "chat"}, False),
        ({"channel": "nightly", "service": "chat"}, True),
        ({"channel": "nightly", "service": "embeddings"}, False),
        ({"tags": "eu"}, True),
        ({"tags": ["us"]}, False),
        ({"tenant_id": str(UUID(int=1))}, False),
    ],
)
def test_a_policy_is_for_calls_that_match(match, fits):
    assert (said((match, {"max_error_rate": 0.1})).names == ("r0",)) is fits


def test_a_policy_is_for_its_tenant():
    request = RouteRequest(tenant_id=UUID(int=1))

    assert said(({"tenant_id": str(UUID(int=1))}, {}), request=request).names == ("r0",)


@pytest.mark.parametrize(
    ("hours", "counts"), [((None, None), True), ((0, 1), True), ((1, 2), False), ((-1, 0), False)]
)
def test_a_policy_counts_while_it_is_valid(hours, counts):
    times = [None if one is None else NOW + timedelta(hours=one) for one in hours]

    found = together([Rule("r", {}, {}, "first_match", *times)], WANTED, NOW)

    assert bool(found.names) is counts


def test_the_first_match_ends():
    found = said(({}, {"max_error_rate": 0.1}), ({}, {"max_error_rate": 0.2, "deny": ["a"]}))

    assert (found.max_error_rate, found.deny, found.names) == (0.1, frozenset(), ("r0",))


def test_a_merge_adds_what_nobody_has_said():
    first = ({}, {"max_error_rate": 0.1}, "priority_merge")
    second = ({}, {"max_error_rate": 0.2, "deny": ["a"]}, "first_match")

    found = said(first, second, ({}, {"max_latency_ms": 1}))

    assert (found.max_error_rate, found.deny) == (0.1, frozenset({"a"}))
    assert (found.max_latency_ms, found.names) == (None, ("r0", "r1"))


def test_all_matches_narrow():
    one = {"allow": ["a", "b"], "deny": ["x"], "max_latency_ms": 5, "daily_usd": "2.50"}
    two = {"allow": ["b", "c"], "deny": ["y"], "max_latency_ms": 4, "daily_usd": 3}
    more = {"budget_is_hard": True, "region_prefs": {"eu": 0.1, "us": 1}}

    found = said(
        ({}, one | {"budget_is_hard": False, "region_prefs": {"eu": 1}}, "all_match"),
        ({}, two | more, "all_match"),
    )

    assert (found.allow, found.deny) == ({"b"}, {"x", "y"})
    assert (found.max_latency_ms, found.daily_usd) == (4, Decimal("2.50"))
    assert (found.budget_is_hard, found.region_prefs) == (True, {"eu": 1, "us": 1})


def test_the_version_is_of_what_is_said():
    once = said(({}, {"deny": ["a", "b"]}))

    assert once.version == said(({}, {"deny": ["b", "a"]})).version != "none"
    assert once.version != said(({}, {"deny": ["a"]})).version
    assert len(once.version) == 12


WRONG = [
    [],
    {"denny": []},
    {"deny": "a"},
    {"deny": [1]},
    {"deny": [""]},
    {"allow": ["x" * 402]},
    {"allow": ["x"] * 201},
    {"max_error_rate": 1.1},
    {"max_error_rate": -0.1},
    {"max_error_rate": True},
    {"max_error_rate": "0.1"},
    {"max_error_rate": float("nan")},
    {"max_latency_ms": 10**400},
    {"daily_usd": -1},
    {"daily_usd": True},
    {"daily_usd": "1e5"},
    {"daily_usd": "x"},
    {"budget_is_hard": 1},
    {"region_prefs": {"eu": 2}},
    {"region_prefs": ["eu"]},
    {"hard_pins": {"code": 1}},
    {"hard_pins": []},
]


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_understood_keeps_calls_from_being_made(wrong):
    """It might be the one that denies."""
    with pytest.raises(PolicyWrong):
        said(({}, wrong))
    with pytest.raises(ValidationError):
        check_action(wrong)


@pytest.mark.parametrize("wrong", [[], {"x": "y"}, {"intent": []}, {"intent": 1}, {"tags": [""]}])
def test_conditions_that_cannot_be_understood(wrong):
    """Of a call they say that it might be the one that is denied."""
    with pytest.raises(PolicyWrong):
        said((wrong, {"deny": ["*"]}))
    with pytest.raises(ValidationError):
        check_conditions(wrong)
