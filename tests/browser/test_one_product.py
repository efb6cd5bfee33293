"""Sign-in, dashboard and admin are one product: one look, one choice of light, dark and zone."""

import itertools
import re

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.people import sign_in

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
WALL = {"viewport": {"width": 2560, "height": 1300}}
DESK = {"viewport": {"width": 1440, "height": 900}}
SCREENS = {
    "390-dark": {**PHONE, "color_scheme": "dark"},
    "390-light": {**PHONE, "color_scheme": "light"},
    "1440-dark": {**DESK, "color_scheme": "dark"},
    "2560-light": {**WALL, "color_scheme": "light"},
}
LOOK = """() => {
  const root = getComputedStyle(document.documentElement);
  const body = getComputedStyle(document.body);
  const named = ["--accent", "--ground", "--sheet", "--ink", "--failed", "--round"];
  return [...named.map((name) => root.getPropertyValue(name)), body.fontFamily, body.color,
          body.backgroundColor];
}"""


def look_of(page, path):
    page.goto(path)
    page.wait_for_load_state("load")
    return page.evaluate(LOOK)[:6], page.evaluate(LOOK)[6]


serial = itertools.count(1)


@pytest.fixture
def busy(fleet):
    """Tasks in several states, one with a name that says too much."""
    channel = fleet.channel(f"one product {next(serial)}")
    fleet.tasks(channel, ["a title " * 25, "w" * 200, "<b>bold</b> 작업 задача"])
    task = fleet.claim("agent-" + "n" * 150, channel)
    return channel, task


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_and_type_are_the_same_everywhere(people, scheme):
    page = people.page_of("operator", color_scheme=scheme)

    dashboard, admin = look_of(page, "/#/"), look_of(page, "/admin/")
    assert look_of(people.page(color_scheme=scheme), "/login") == dashboard == admin
    assert page.evaluate("document.body.style.length") == 0


def test_light_or_dark_is_chosen_once(people):
    page = people.page_of("operator", color_scheme="light")
    page.goto("/#/")
    page.locator("details.menu", has=page.locator("#theme")).locator("summary").click()
    page.locator("#theme").select_option("dark")

    page.goto("/admin/")
    expect(page.locator("html")).to_have_class(re.compile(r"\bdark\b"))
    page.locator("[x-data*=openUserLinks]").locator("xpath=./div[last()]").click()
    page.get_by_text("Light", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")

    page.goto("/#/")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


@pytest.mark.parametrize("screen", SCREENS)
def test_pages_fit_every_screen_and_can_be_used_by_everybody(people, busy, screen):
    channel, task = busy
    page = people.page_of("boss", **SCREENS[screen])
    for path in (
        "/admin/",
        f"/admin/tasks/task/?channel__id__exact={channel['id']}&age=day",
        f"/admin/tasks/task/{task['id']}/change/",
        f"/admin/tasks/task/{task['id']}/verb/cancel/",
        "/admin/agents/agent/",
        "/admin/events/event/",
        "/admin/accounts/user/add/",
        "/admin/accounts/user/",
        "/preferences",
        "/password",
        "/nothing-here",
    ):
        page.goto(path)
        page.wait_for_load_state("load")
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{path} is {wider} pixels too wide"
        accessibility.check(page)
    people.forgive("404 (Not Found)")


def test_an_id_is_copied_whole(people, busy):
    channel, task = busy
    page = people.page_of("operator", permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"/admin/tasks/task/?channel__id__exact={channel['id']}&status__exact=in_progress")

    page.get_by_role("button", name=re.compile("^Copy the id")).click()

    expect(page.locator("button.copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == task["id"]


def test_a_filter_is_seen_and_removed(people, busy):
    channel, _ = busy
    page = people.page_of("operator")
    page.goto(f"/admin/tasks/task/?channel__id__exact={channel['id']}&status__exact=queued")
    active = page.get_by_role("list", name="Active filters")
    expect(active).to_contain_text("Channel: one product")

    active.get_by_role("link", name=re.compile("Status: Queued")).click()

    expect(active).not_to_contain_text("Queued")
    expect(active).to_contain_text("Channel: one product")


def test_times_are_in_the_zone_of_the_browser_until_another_is_chosen(people, busy):
    _, task = busy
    page = people.page_of("operator", timezone_id="Asia/Seoul")
    page.goto("/#/")
    expect(page.locator("html")).to_have_attribute("data-timezone", "Asia/Seoul")
    page.goto(f"/admin/tasks/task/{task['id']}/change/")
    expect(page.locator("#content")).to_contain_text("+09:00")

    page.goto("/preferences")
    page.get_by_label("Time zone").select_option("America/New_York")
    page.get_by_role("button", name="Save").click()

    page.goto(f"/admin/tasks/task/{task['id']}/change/")
    expect(page.locator("#content")).to_contain_text(re.compile("-0[45]:00"))
    page.goto("/#/")
    expect(page.locator("html")).to_have_attribute("data-timezone", "America/New_York")


def test_a_person_is_made_signs_in_and_loses_a_token(people):
    boss = people.page_of("boss")
    boss.goto("/admin/accounts/user/add/")
    boss.get_by_label("Username").fill("newcomer")
    boss.locator("[name=password1]").fill("only for the tests 2")
    boss.locator("[name=password2]").fill("only for the tests 2")
    boss.get_by_label("Viewer: May look at everything in the console", exact=True).check()
    boss.get_by_role("button", name="Save", exact=True).click()
    expect(boss.get_by_role("heading", level=1)).to_contain_text("newcomer")
    place = boss.url

    newcomer = people.page()
    newcomer.goto("/login")
    sign_in(newcomer, "newcomer", "only for the tests 2")
    expect(newcomer.get_by_role("heading", name="Channels")).to_be_visible()

    boss.get_by_role("link", name="Make a token for this user").click()
    boss.locator("[name=name]").fill("nightly")
    boss.get_by_role("button", name="Save", exact=True).click()
    expect(boss.locator("#new-token")).to_contain_text("coordinator_")
    boss.goto(place)
    accessibility.check(boss)
    boss.get_by_role("link", name="Revoke nightly").click()
    boss.get_by_label("Reason").fill("left the company")
    boss.get_by_role("button", name="Revoke").click()
    expect(boss.get_by_role("region", name="Tokens").first).to_contain_text("Revoked")
