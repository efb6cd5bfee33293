"""Search and commands by Ctrl-K or "/", and the way from signing in to a deed by keyboard alone."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.pages import find
from tests.browser.people import PASSWORD


def title(page):
    return page.get_by_role("heading", level=1)


@pytest.fixture
def page(operator):
    operator.goto("/#/")
    expect(operator.locator("#connection")).to_contain_text("Live")
    return operator


def test_things_are_found_by_a_part_of_their_name_and_opened_by_keyboard(page, fleet):
    channel = fleet.channel("palette zebra channel")
    fleet.chain(channel, "zebra chain", ["zebra step"])
    fleet.task(channel, "paint the zebra")
    fleet.claim("zebra-agent", channel)

    options = find(page, "zebra")
    names = options.locator(".grow")
    for name in ("zebra-agent", "zebra chain", "palette zebra channel", "paint the zebra"):
        expect(names.get_by_text(name, exact=True)).to_be_visible()
    expect(options.filter(has_text="zebra step")).to_contain_text("zebra chain · in progress")
    accessibility.check(page)
    find_box = page.locator(".palette input")
    while "paint" not in page.locator('[aria-selected="true"]').inner_text():
        page.keyboard.press("ArrowDown")
    chosen = page.locator('[aria-selected="true"]').get_attribute("id")
    assert find_box.get_attribute("aria-activedescendant") == chosen
    page.keyboard.press("Enter")

    expect(title(page)).to_have_text("paint the zebra")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_task_is_found_by_its_id_its_beginning_and_its_end(page, fleet):
    task = fleet.task(fleet.channel("palette ids"), "found by its id")

    for text in (task["id"], task["id"][:18], task["id"][-8:]):
        options = find(page, text)
        expect(options.filter(has_text="found by its id")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_what_may_be_done_to_the_open_thing_is_among_the_commands(page, fleet):
    task = fleet.task(fleet.channel("palette verbs"), "to be cancelled")
    page.goto(f"/#/tasks/{task['id']}")
    expect(title(page)).to_have_text("to be cancelled")

    options = find(page, "cancel")
    expect(options.first).to_contain_text("Cancel")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel: to be cancelled")
    dialog.get_by_label("Reason").fill("not needed any more")
    page.keyboard.press("Enter")

    expect(page.locator(".thing-head")).to_contain_text("cancelled")


def test_a_slash_opens_it_but_not_where_somebody_types(page):
    page.keyboard.press("/")
    expect(page.get_by_role("dialog", name="Search and commands")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto("/#/search")
    box = page.get_by_role("searchbox")
    box.press("/")
    expect(box).to_have_value("/")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator("#find").click()
    expect(page.get_by_role("combobox", name=re.compile("^Find tasks"))).to_be_focused()


def test_who_types_fast_gets_what_was_typed(page, fleet):
    fleet.task(fleet.channel("palette fast"), "typed in a hurry")
    page.evaluate("window.requestAnimationFrame = () => 0")  # the next frame is far away

    page.keyboard.press("Control+k")
    page.keyboard.insert_text("in a hurry")
    page.keyboard.press("Enter")

    expect(title(page)).to_have_text("typed in a hurry")


def test_it_opens_again_before_the_browser_has_told_that_it_is_closed(page):
    never = "addEventListener('close', (event) => event.stopImmediatePropagation(), true)"
    page.evaluate(never)
    box = page.get_by_role("combobox", name=re.compile("^Find tasks"))

    for _ in range(2):
        page.keyboard.press("Control+k")
        expect(box).to_be_focused()
        page.keyboard.press("Escape")
        expect(box).to_have_count(0)


def test_a_page_is_gone_to_and_nothing_is_said_to_be_found(page, fleet):
    fleet.channel(f"usage of {uuid4()}")  # a page of the very name comes first
    find(page, "usage")
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text(re.compile("^Usage"))

    options = find(page, "no-such-thing-anywhere")
    expect(options).to_have_count(1)  # the search in documents and code
    page.keyboard.press("Enter")
    expect(page.get_by_role("searchbox")).to_have_value("no-such-thing-anywhere")


def test_keyboard_alone_leads_from_signing_in_to_an_unlocked_chain(people, fleet):
    channel = fleet.channel("by keyboard")
    chain, tasks = fleet.chain(channel, "keyboard chain", ["stuck", "next"])
    fleet.claim("keyboard-agent", channel)
    fleet.ask("POST", f"chains/{chain['id']}/detach", agent_id="keyboard-agent")
    page = people.page()
    page.goto("/")
    expect(page.get_by_label("Username")).to_be_visible()
    page.get_by_label("Username").focus()  # as the page does for people, on some systems
    page.keyboard.type("operator")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#connection")).to_contain_text("Live")

    expect(find(page, "keyboard chain").first).to_contain_text("keyboard chain")
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("keyboard chain")
    for _ in range(40):
        page.keyboard.press("Tab")
        if "Unlock to queued" in page.evaluate("document.activeElement.innerText ?? ''"):
            break
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("ul.will li").first).to_be_visible()
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("it may be tried again")
    page.keyboard.press("Enter")

    expect(page.locator(".step").first.locator(".status")).to_have_text("queued")
    expect(page.locator("main:focus, main :focus")).to_have_count(1)  # where to go on from
    assert fleet.seen(tasks[0])["status"] == "queued"
