"""`/console/usage`: what calls of language models used."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from routing import usage
from routing.models import UsageCounter

pytestmark = pytest.mark.django_db


def get(**query):
    return Client().get("/console/usage", query)


def use(cost, *, days_ago=0, **fields):
    usual = {"provider": "p", "model": "m", "calls": 1, "input_tokens": 10, "output_tokens": 5}
    day = datetime.now(UTC).date() - timedelta(days=days_ago)
    return UsageCounter.objects.create(**usual | fields, day=day, cost=Decimal(cost))


def test_each_day_has_its_sums_also_one_without_calls():
    use("1.5")
    use("0.5", agent="a")
    use("3", days_ago=2)
    use("9", days_ago=3)

    days = get(days=3).json()["days"]

    assert [day["cost_usd"] for day in days] == [3, 0, 2]
    assert days[2]["day"] == str(datetime.now(UTC).date())
    assert (days[2]["calls"], days[2]["tokens_in"], days[2]["tokens_out"]) == (2, 20, 10)
    assert len(get().json()["days"]) == 30


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("provider", ["dear", "p"]),
        ("model", ["dear/large", "p/m"]),
        ("agent", ["a", ""]),
        ("channel", ["", "nightly"]),
    ],
)
def test_rows_are_of_what_is_asked_for_the_dearest_first(by, names):
    use("5", provider="dear", model="large", agent="a")
    use("1", channel="nightly")

    body = get(by=by).json()

    assert (body["by"], [row["name"] for row in body["rows"]]) == (by, names)
    assert [row["cost_usd"] for row in body["rows"]] == [5, 1]
    assert not body["more"]


def test_only_the_dearest_are_shown(monkeypatch):
    monkeypatch.setattr(usage, "MOST_ROWS", 2)
    for number in range(3):
        use(number, agent=f"agent-{number}")

    body = get(by="agent").json()

    assert [row["name"] for row in body["rows"]] == ["agent-2", "agent-1"]
    assert body["more"]


@pytest.mark.parametrize(
    "query", [{"by": "x"}, {"days": "0"}, {"days": "367"}, {"days": "x"}, {"days": "-1"}]
)
def test_what_makes_no_sense_is_refused(query):
    assert get(**query).status_code == 400
