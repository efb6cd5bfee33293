"""The pages of the dashboard, and how people use them."""

import re

from playwright.sync_api import expect

PARTS = [
    *("", "board", "tasks", "agents", "jobs", "timeline", "usage", "dead-letters"),
    *("actions", "search"),
]


def open_board(page, channel):
    page.goto(f"/#/board/{channel['id']}")
    expect(page.get_by_role("heading", name="Tasks without a chain")).to_be_visible()
    expect(page.locator("#connection")).to_contain_text("Live")


def chain_on(page, name):
    return page.locator("article.chain").filter(has_text=name)


def part_of(chain, name):
    """The column of a chain's opened card."""
    return chain.get_by_role("region", name=re.compile(f"^{name}: "))


def verb_of(page, label):
    """The button of a verb of the thing whose page this is; if it is in the menu, that opens."""
    button = page.locator(".verbs").get_by_role("button", name=f"{label}: ")
    menu = page.locator(".verbs summary")
    expect(page.locator(".verbs").first).to_be_visible()
    if not button.is_visible() and menu.is_visible():
        menu.click()
    return button


def find(page, text):
    """Ask for a text in the palette, and wait until that is answered; returns its options."""
    page.keyboard.press("Control+k")
    page.locator(".palette input").fill(text)
    found = page.locator("#palette-list")
    expect(found).to_have_attribute("data-answers", text)
    return found.get_by_role("option")


def use_verb(page, button, reason):
    """Press the button, read what it will do, give a reason and confirm; returns the sentences."""
    label = button.inner_text().partition("\n")[0]
    before = page.get_by_role("dialog").count()
    button.click()
    dialog = page.get_by_role("dialog").last
    will = dialog.locator("ul.will li")
    expect(will.first).to_be_visible()
    sentences = will.all_inner_texts()
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=label, exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(before)
    return sentences
