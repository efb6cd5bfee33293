"""Each page that `script/screenshots` takes: axe-core finds nothing serious, nothing is cut off."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility, all_pages
from tests.browser.screenshots import run_command
from tests.coordinator_project.running import eventually


@pytest.fixture
def addresses(fleet):
    """The address of each page, of a fleet in which something is in each state."""
    channel = fleet.channel(f"every page {uuid4()}")
    chain, _ = fleet.chain(channel, "held up", ["one", "two"])
    fleet.claim("agent-003", channel)
    fleet.ask("POST", f"chains/{chain['id']}/detach", agent_id="agent-003")
    fleet.tasks(channel, ["one that fails", "one that goes on"])
    failed = fleet.claim("agent-004", channel)
    fleet.ask("POST", "tasks/fail", task_id=failed["id"], agent_id="agent-004", reason="x\ny")
    fleet.claim("agent-005", channel)
    return all_pages.pages(fleet, run_command(fleet))


@pytest.mark.parametrize(("width", "theme"), [("desk", "light"), ("phone", "dark")])
@pytest.mark.timeout(300)
def test_every_page_can_be_read_by_everybody(people, addresses, width, theme):
    x, y = all_pages.WIDTHS[width]
    page = people.page_of("boss", viewport={"width": x, "height": y}, color_scheme=theme)
    wrong = {}
    for name, address in addresses.items():
        page.goto("about:blank")
        page.goto(address)
        if address.startswith("/#"):
            expect(page.locator("#connection")).to_contain_text("Live")
        eventually(lambda: page.locator('[aria-busy="true"]').count() == 0)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        found = accessibility.violations(page) + (["too wide"] if wide > 0 else [])
        if found:
            wrong[name] = found

    people.forgive("404")  # two of the pages are of nothing
    assert wrong == {}
