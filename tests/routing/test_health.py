"""How providers are: parks until their time, and moving averages."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.db.models.functions import Now

from routing import attempts
from routing.candidates import RouteRequest
from routing.exceptions import NoAnswer, NoProvider
from routing.models import (
    ProviderHealth,
    RoutingSnapshot,
)
from routing.transitions import observe
from tests.routing.calling import ask, failing, health, make_two
from tests.routing.making import candidate, make_model, make_policy

pytestmark = pytest.mark.django_db


def test_who_is_rate_limited_is_left_alone_until_its_time(serve):
    bad, good = make_two(serve, lambda exchange, asked: exchange.say(429, b"", Retry_After="120"))
    other = make_model("bad", "other")  # of the same provider, so that it is parked with it

    ask()
    again = ask()

    assert (bad.count, good.count, again.failovers) == (1, 2, 0)
    parked = health()
    assert parked.parked_because == "rate_limited"
    left = (parked.parked_until - datetime.now(UTC)).total_seconds()
    assert 110 < left <= 120
    latest = RoutingSnapshot.objects.first()
    assert {row["reason"] for row in latest.excluded} == {"parked: rate_limited"}
    assert {row["model"] for row in latest.excluded} == {"m", other.name}

    ProviderHealth.objects.update(parked_until=Now())
    ask()

    first = RoutingSnapshot.objects.first().ranked
    assert ["rate_limited"] in [one["penalties"] for one in first]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("17", 17),
        (" 17 ", 17),
        ("0", 1),
        ("86400", 3_600),
        ("-5", 30),
        ("soon", 30),
        ("1.5", 30),
        ("", 30),
        ("9" * 400, 30),
        ("\u0661\u0667", 30),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3_600),
        ("Thu, 99 Jan 1970 00:00:00 GMT", 30),
    ],
)
def test_how_long_a_provider_is_left_alone(said, seconds):
    assert attempts.pause_in(said) == seconds


def test_a_time_of_http():
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert 97 < attempts.pause_in(until) <= 100


def test_a_park_is_not_made_shorter(serve):
    make_two(serve, lambda exchange, asked: exchange.say(429, b"", Retry_After="300"))
    ask()
    until = health().parked_until
    seen = attempts.Seen(pause=5, parked_because="bad_key")

    observe(attempts.Attempt(candidate("bad"), attempts.Word.BAD_KEY, seen, attempts.Billed.NO))

    assert (health().parked_until, health().parked_because) == (until, "rate_limited")
    assert health().last_error == "bad_key"


def test_health_is_a_moving_average(serve):
    acts = iter([failing(500)] * 2 + [lambda exchange, asked: exchange.complete()])
    provider = serve(lambda exchange, asked: next(acts)(exchange, asked))
    make_model("bad", url=provider.url)

    rates = []
    for _ in range(3):
        with suppress(NoAnswer):
            ask()
        rates.append(round(health().error_rate, 2))

    assert rates == [0.2, 0.36, 0.29]
    assert health().calls == 3


def test_a_failure_that_comes_late_to_the_row_of_a_failing_provider_is_noted():
    """Who waited for the row has a time before the one of who had it, as if a clock went back."""
    model = make_model("bad")
    later = Now() + timedelta(minutes=2)
    ProviderHealth.objects.create(provider=model.provider, error_rate=1, calls=3, updated_at=later)
    before = health().updated_at
    failed = attempts.Seen(failed=True)

    observe(
        attempts.Attempt(candidate("bad"), attempts.Word.SERVER_ERROR, failed, attempts.Billed.NO)
    )

    assert (health().error_rate, health().calls, health().updated_at) == (1, 4, before)


def test_who_has_spent_the_budget_of_the_day_is_not_called(serve):
    make_policy(action={"daily_usd": "0.05", "budget_is_hard": True})
    make_model("one", url=serve().url)
    request = RouteRequest(tokens_in=10, tokens_out=5)  # 0.02 USD

    ask(request)
    ask(request)
    with pytest.raises(NoProvider):
        ask(request)

    assert RoutingSnapshot.objects.first().excluded[0]["reason"] == "budget_exceeded"
