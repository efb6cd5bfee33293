"""Calls at once: what they use is summed exactly, and nothing is held while they wait."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection, transaction

from routing import calls, transitions
from routing.attempts import Attempt, Billed, Seen, Word
from routing.candidates import RouteRequest
from routing.exceptions import NoAnswer
from routing.models import (
    FailoverTotal,
    ProviderHealth,
    RoutingSnapshot,
    UsageCounter,
    UsageTotal,
)
from tests.routing.making import MESSAGES, QUICK, candidate, make_model

pytestmark = pytest.mark.django_db(transaction=True)

CALLS = 48


def at_once(work, number, threads=8):
    def one(place):
        try:
            return work(place)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(number)))


def test_the_usage_of_calls_at_once_is_summed_exactly(serve):
    turn = iter(range(10_000))

    def unsure(exchange, asked):
        exchange.complete(tokens=(7, 3)) if next(turn) % 3 else exchange.say(500, b"")

    make_model("unsure", url=serve(unsure).url, input_usd_per_1k="0.1", output_usd_per_1k=0)
    make_model("good", url=serve().url)

    def call(place):
        request = RouteRequest(
            tokens_in=9, agent=f"agent-{place % 3}", channel=f"channel-{place % 2}"
        )
        return calls.query_routed(request, MESSAGES, patience=QUICK)

    replies = at_once(call, CALLS)

    rows = list(UsageCounter.objects.all())
    assert sum(row.calls for row in rows) == CALLS == RoutingSnapshot.objects.count()
    assert sum(row.input_tokens for row in rows) == sum(one.tokens_in for one in replies)
    assert sum((row.cost for row in rows), Decimal(0)) == sum(one.cost_usd for one in replies)
    for total in UsageTotal.objects.all():
        of_it = [row for row in rows if row.provider == total.provider]
        assert total.cost == sum(row.cost for row in of_it)
        assert total.output_tokens == sum(row.output_tokens for row in of_it)
    failovers = sum(one.failovers for one in replies)
    assert sum(row.count for row in FailoverTotal.objects.all()) == failovers
    asked = sum(row.calls for row in ProviderHealth.objects.all())
    assert asked == CALLS + failovers


def test_observations_at_once_are_all_in_the_average():
    make_model("p")
    one = candidate("p")
    failed = Attempt(one, Word.SERVER_ERROR, Seen(failed=True), Billed.NO)

    at_once(lambda place: transitions.observe(failed), 20)

    health = ProviderHealth.objects.get()
    assert health.calls == 20
    assert health.error_rate == pytest.approx(1 - 0.8**20, abs=0.01)  # but for what faded


def test_nothing_is_held_while_a_provider_is_waited_for(serve):
    make_model("one", url=serve(lambda exchange, asked: (seen(), exchange.complete())).url)
    found = []

    def seen():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            found.append(cursor.fetchone()[0])
        connection.close()

    connection.close()
    before = []
    at_once(lambda place: before.append(others()), 1)
    calls.query_routed(RouteRequest(), MESSAGES, patience=QUICK)

    assert found == before


def others():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return cursor.fetchone()[0]


def test_a_call_in_a_transaction_is_refused(serve):
    provider = serve()
    make_model("one", url=provider.url)

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        calls.query_routed(RouteRequest(), MESSAGES, patience=QUICK)

    assert provider.count == 0


def test_who_is_parked_while_a_call_is_on_its_way_is_not_called_by_it(serve):
    def park_the_other(exchange, asked):
        seen = Seen(pause=60, parked_because="rate_limited")
        transitions.observe(Attempt(candidate("good"), Word.RATE_LIMITED, seen, Billed.NO))
        connection.close()
        exchange.say(500, b"")

    make_model("bad", url=serve(park_the_other).url, input_usd_per_1k=0)
    good = serve()
    make_model("good", url=good.url)

    with pytest.raises(NoAnswer):
        calls.query_routed(RouteRequest(tokens_in=9), MESSAGES, patience=QUICK)

    assert good.count == 0
