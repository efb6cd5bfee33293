"""The policies of pages in a browser: every page keeps to its own, what is slipped in is blocked.

`People` fails a test whose browser complained of anything, violations among it.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.pages import PARTS, open_board
from tests.browser.people import PASSWORD, sign_in
from tests.coordinator_project.running import eventually

BLOCKED = re.compile("violates the following Content Security Policy directive")
SLIPPED_IN = """() => {
  const script = document.createElement("script");
  script.textContent = "window.slippedIn = true";
  document.body.append(script);
  const holder = document.createElement("div");
  holder.innerHTML = '<img src="x" onerror="window.slippedIn = true"><p style="color: red">.</p>';
  document.body.append(holder);
}"""
WATCH = """document.addEventListener("securitypolicyviolation", (violation) => {
  (window.violations ||= []).push(`${violation.violatedDirective} ${violation.blockedURI}`);
});"""
LISTS = [
    *("accounts/user", "auth/group", "agents/agent", "chains/chain", "events/event"),
    *("events/operatoraction", "jobs/job", "tasks/channel", "tasks/task"),
    *("vault/securekey", "vault/keyaudit"),
]
FORMS = ["accounts/user/add", "auth/group/add", "vault/securekey/add"]


def watched(page):
    """The page, which keeps the violations of what it opens from now on."""
    page.add_init_script(WATCH)
    return page


def violations(page):
    page.wait_for_load_state("networkidle")
    return page.evaluate("window.violations || []")


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_dashboard_keeps_to_its_policy(people, fleet, part):
    channel = fleet.channel(f"policy {part}")
    fleet.chain(channel, "looked at", ["one", "two"])
    fleet.claim(f"agent of {part}", channel)
    page = watched(people.page_of("operator"))

    page.goto(f"/#/{part}")
    expect(page.locator("#connection")).to_contain_text("Live")

    assert page.evaluate("window.violations || []") == []


def test_the_board_with_its_dialogs_keeps_to_its_policy(people, fleet):
    channel = fleet.channel("policy dialogs")
    task = fleet.task(channel, "opened in its dialog")
    page = watched(people.page_of("operator"))

    open_board(page, channel)
    page.get_by_text(task["title"]).first.click()

    assert page.evaluate("window.violations || []") == []


@pytest.mark.parametrize("kind", LISTS)
def test_every_list_of_the_admin_and_a_page_of_it_keep_to_their_policy(people, fleet, kind):
    channel = fleet.channel(f"policy {kind}")
    fleet.chain(channel, "looked at", ["one", "two"])
    task = fleet.claim(f"agent of {kind}", channel)
    fleet.complete(f"agent of {kind}", task)
    page = watched(people.page_of("boss"))

    page.goto(f"/admin/{kind}/")
    assert violations(page) == []
    rows = page.locator("#result_list tbody a")
    if rows.count():
        rows.first.click()
        assert violations(page) == []


@pytest.mark.parametrize("form", ["", "password_change/done/", *(f"{form}/" for form in FORMS)])
def test_every_form_of_the_admin_keeps_to_its_policy(people, form):
    page = watched(people.page_of("boss"))

    page.goto(f"/admin/{form}")

    assert violations(page) == []


def test_the_parts_of_the_admin_that_open_and_close_work(people, fleet):
    channel = fleet.channel("policy opens")
    task = fleet.task(channel, "looked at")
    page = watched(people.page_of("operator"))

    page.goto("/admin/tasks/task/")
    page.locator("#action-toggle").check()
    page.locator('select[name="action"]').select_option("cancel")
    page.get_by_role("button", name=re.compile("^Run")).click()
    expect(page.get_by_label("Reason")).to_be_visible()
    assert violations(page) == []

    page.goto(f"/admin/tasks/task/{task['id']}/change/")
    assert violations(page) == []


@pytest.mark.parametrize("path", ["/login", "/password", "/nothing-here", "/admin/nothing/here/"])
def test_pages_beside_them_keep_to_their_policy(people, path):
    page = watched(people.page_of("operator"))

    page.goto(path)
    found = violations(page)

    people.forgive("404")
    assert found == []


def test_a_person_signs_in_under_the_policy(people):
    page = watched(people.page())

    page.goto("/login")
    sign_in(page, "operator", PASSWORD)

    expect(page).to_have_url(re.compile("/$"))
    assert violations(page) == []


@pytest.mark.parametrize("path", ["/", "/admin/", "/login"])
def test_what_is_slipped_into_a_page_does_not_run(people, path):
    page = watched(people.page_of("operator"))
    page.goto(path)

    page.evaluate(SLIPPED_IN)
    # `wait_for_function` would be evaluated in the page, whose policy forbids that.
    eventually(lambda: len(violations(page)) >= 3)

    assert page.evaluate("window.slippedIn") is None
    assert page.evaluate("getComputedStyle(document.querySelector('p[style]')).color") != (
        "rgb(255, 0, 0)"
    )
    assert sorted(page.evaluate("window.violations"))[:3] == [
        "script-src-attr inline",
        "script-src-elem inline",
        "style-src-attr inline",
    ]
    page.wait_for_load_state("networkidle")  # the picture is not there
    people.forgive("Content Security Policy")
    people.forgive("404")


def test_a_page_of_another_site_cannot_show_ours(people):
    page = people.page()
    page.goto("/health")

    page.set_content(f'<iframe src="{people.url}/login"></iframe>')
    page.wait_for_timeout(500)

    assert page.frames[-1].url != f"{people.url}/login"
    people.forgive("frame")
    people.forgive("favicon")
