"""The pages of the dashboard, and how people use them."""

import re

from playwright.sync_api import expect

PARTS = ["", "board", "agents", "jobs", "timeline", "usage", "dead-letters"]
PARTS = ["", "board", "agents", "jobs", "timeline", "dead-letters", "search"]


def open_board(page, channel):
    page.goto(f"/#/board/{channel['id']}")
    expect(page.get_by_role("heading", name="Tasks without a chain")).to_be_visible()
    expect(page.locator("#connection")).to_contain_text("Live")


def chain_on(page, name):
    return page.locator("article.chain").filter(has_text=name)


def part_of(chain, name):
    """The column of a chain's opened card."""
    return chain.get_by_role("region", name=re.compile(f"^{name}: "))


def use_verb(page, button, reason):
    """Press the button, read what it will do, give a reason and confirm; returns the sentences."""
    label = button.inner_text()
    button.click()
    dialog = page.get_by_role("dialog").last
    will = dialog.locator("ul.will li")
    expect(will.first).to_be_visible()
    sentences = will.all_inner_texts()
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=label, exact=True).click()
    expect(dialog).not_to_be_attached()
    return sentences
