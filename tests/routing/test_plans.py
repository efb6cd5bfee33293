"""What is asked for each call reads few rows, however many there are."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from routing.candidates import RouteRequest
from routing.client import RouterSelectClient
from routing.models import RoutingSnapshot, UsageCounter
from tests.routing.making import NOW, make_model, make_policy
from tests.tasks.plans import rows_read

pytestmark = pytest.mark.django_db

ROWS = 3_000
TABLES = {"routing_routingsnapshot", "routing_usagecounter"}


@pytest.fixture(autouse=True)
def many():
    make_model("p")
    RoutingSnapshot.objects.bulk_create(
        RoutingSnapshot(
            request_id=f"R{number:025}",
            service="embeddings" if number == 5 else "chat",
            intent="chat",
            outcome="answered",
            policy_version="none",
            scoring="v2",
        )
        for number in range(ROWS)
    )
    UsageCounter.objects.bulk_create(
        UsageCounter(
            day=NOW.date(),
            provider="p",
            model="m",
            agent=f"agent-{number}",
            calls=1,
            input_tokens=1,
            output_tokens=1,
            cost=1,
        )
        for number in range(ROWS)
    )
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(TABLES)}")


def most_read(ask):
    with CaptureQueriesContext(connection) as asked:
        ask()
    found = [query["sql"] for query in asked if query["sql"].startswith("SELECT")]
    return max(rows_read(sql, None, TABLES) for sql in found)


@pytest.mark.parametrize("service", ["chat", "embeddings"])
def test_the_latest_calls_are_read_by_the_index(service):
    query = {"service": service}

    assert most_read(lambda: Client().get("/api/metrics/routing", query)) <= 20


def test_a_ranking_reads_no_usage_where_no_policy_has_a_budget():
    assert most_read(lambda: RouterSelectClient().rank(RouteRequest())) == 0

    make_policy(action={"daily_usd": 5})

    def ask():
        [one] = RouterSelectClient().rank(RouteRequest(tokens_in=10)).ranking.ranked
        assert one.penalties == []  # it was spent on another day

    assert most_read(ask) == 0


def test_statements_do_not_depend_on_how_many_models_there_are():
    def asked():
        with CaptureQueriesContext(connection) as found:
            RouterSelectClient().rank(RouteRequest())
        return len(found)

    before = asked()
    for number in range(5):
        make_model(f"provider-{number}")

    assert asked() == before == 3
