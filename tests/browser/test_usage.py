"""The page of usage: a plot of days, and rows by provider, model, agent and channel."""

import subprocess
import sys

import pytest
from playwright.sync_api import expect

from coordinator_project.env import BASE_DIR
from tests.browser import accessibility
from tests.coordinator_project.running import environment

USE = """
from datetime import timedelta
from django.utils import timezone
from routing.models import UsageCounter
today = timezone.now().date()
for name, ago, cost in (("near", 0, "0.125"), ("far", 0, "2"), ("near", 3, "1.5")):
    UsageCounter.objects.get_or_create(
        day=today - timedelta(days=ago), provider=name, model="m", agent=f"agent-{name}",
        channel="nightly", defaults=dict(calls=3, input_tokens=1200, output_tokens=40, cost=cost))
"""


@pytest.fixture
def used(coordinator, place):
    """Some calls of language models."""
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", USE],
        cwd=BASE_DIR,
        env=environment(place),
        capture_output=True,
        check=True,
    )


def test_usage_is_plotted_by_day_and_listed(used, operator):
    operator.goto("/#/usage")
    plot = operator.get_by_role("img", name="Cost: $3.63 in 30 days, at most $2.13 on a day")

    expect(plot).to_be_visible()
    expect(plot.locator("rect")).to_have_count(30)
    heights = [float(one.get_attribute("height")) for one in plot.locator("rect").all()]
    assert sorted(heights, reverse=True)[1] > 0 == sorted(heights, reverse=True)[2]
    rows = operator.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("far")
    expect(rows.last).to_contain_text("$1.63")
    accessibility.check(operator)

    operator.get_by_label("By", exact=True).select_option("channel")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("nightly")
    operator.get_by_label("Plot", exact=True).select_option("tokens")
    expect(operator.get_by_role("img", name="Tokens: 3,720 in 30 days")).to_be_visible()
    operator.get_by_label("Days", exact=True).select_option("7")
    expect(operator.locator("rect")).to_have_count(7)
    operator.reload()
    expect(operator.locator("rect")).to_have_count(7)
    expect(operator.get_by_label("By", exact=True)).to_have_value("channel")


def with_many_tokens(route):
    answer = route.fetch()
    used = answer.json()
    for row in used["rows"]:
        row["tokens_in"] *= 100_000
        row["tokens_out"] *= 1_000_000
    route.fulfill(response=answer, json=used)


def test_on_a_phone_no_number_is_broken_and_the_page_is_named_at_the_top(used, people):
    phone = {"width": 390, "height": 844}
    page = people.page_of("operator", viewport=phone, has_touch=True, is_mobile=True)
    page.route("**/console/usage?*", with_many_tokens)
    page.goto("/#/usage")
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("far")

    tall = row.evaluate("(row) => row.offsetHeight / parseFloat(getComputedStyle(row).lineHeight)")
    assert tall < 2
    assert page.evaluate("() => document.documentElement.scrollWidth") == phone["width"]
    day = page.locator("svg.plot text").first
    assert day.evaluate("(text) => text.getBoundingClientRect().height") > 10
    here = page.locator("nav .here > summary").bounding_box()
    assert 0 <= here["x"] < here["x"] + here["width"] <= phone["width"]
