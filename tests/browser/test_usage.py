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
