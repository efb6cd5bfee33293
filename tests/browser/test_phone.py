from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.pages import PARTS

STICKS_OUT = """(width) => {
  const scrolls = (element) => element && (
    ["auto", "scroll", "hidden"].includes(getComputedStyle(element).overflowX)
    || scrolls(element.parentElement));
  const right = (element) => element.getBoundingClientRect().right;
  return [...document.querySelectorAll("body *")]
    .filter((one) => right(one) > width && !scrolls(one.parentElement))
    .sort((one, other) => right(other) - right(one))
    .map((one) => `${right(one)}: ${one.outerHTML.slice(0, 90)}`).slice(0, 5);
}"""
"""The elements that make a page wider than its window."""


def test_it_fits_on_a_phone(people, fleet):
    channel = fleet.channel("a channel with a name of some length")
    fleet.chain(channel, "a chain whose name is not short either", ["step " * 12, "next"])
    fleet.task(channel, "a-task-with-one-very-long-word-as-its-title-" * 4)
    fleet.claim("agent-with-a-name-of-some-length", channel)
    phone = {"width": 360, "height": 740}
    page = people.page_of("operator", viewport=phone, has_touch=True, is_mobile=True)

    wider = {}
    for part in PARTS:
        page.goto(f"/#/{part}/{channel['id'] if part == 'board' else ''}")
        expect(page.get_by_role("heading", level=1)).to_be_attached()
        expect(page.locator(f'nav a[href="#/{part}"]')).to_have_attribute("aria-current", "page")
        if page.evaluate("() => document.documentElement.scrollWidth") > phone["width"]:
            wider[part] = page.evaluate(STICKS_OUT, phone["width"])

    assert wider == {}


def test_the_pages_of_things_fit_on_a_phone_too(people, fleet):
    channel = fleet.channel("a channel of things on a phone")
    long = "a-thing-with-one-very-long-word-as-its-name-" * 4
    chain, _ = fleet.chain(channel, long, ["step " * 12, long])
    payload = {"key-that-is-long-" * 8: {"text": long * 20}, "lines": f"{long}\n{long}"}
    task = fleet.task(channel, long, payload=payload, description=long)
    fleet.claim("agent-with-a-long-name-" * 8, channel)
    phone = {"width": 360, "height": 740}
    page = people.page_of("operator", viewport=phone, has_touch=True, is_mobile=True)

    wider = {}
    for path in (
        f"tasks/{task['id']}",
        f"chains/{chain['id']}",
        f"agents/{'agent-with-a-long-name-' * 8}",
        f"timeline?chain_id={chain['id']}",
    ):
        page.goto(f"/#/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("[data-event]").first).to_be_attached()
        if page.evaluate("() => document.documentElement.scrollWidth") > phone["width"]:
            wider[path] = page.evaluate(STICKS_OUT, phone["width"])

    assert wider == {}


def test_everything_is_within_two_touches_at_the_bottom_of_a_phone(people):
    phone = {"width": 390, "height": 844}
    page = people.page_of("operator", viewport=phone, has_touch=True, is_mobile=True)
    page.goto("/#/")
    expect(page.locator("#connection")).to_contain_text("Live")
    bar = page.locator("#nav > ul")
    box = bar.bounding_box()
    assert box["y"] + box["height"] > phone["height"] - 10

    for part in PARTS:
        link = page.locator(f'#nav a[href="#/{part}"]')
        if not link.is_visible():
            page.locator("#nav summary").tap()
        assert link.bounding_box()["height"] >= 40
        link.tap()
        expect(link).to_have_attribute("aria-current", "page")
        expect(page.locator("#nav details")).not_to_have_attribute("open", "")
    page.locator("#nav").get_by_role("button", name="Find").tap()
    expect(page.get_by_role("dialog", name="Search and commands")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#nav summary").tap()
    accessibility.check(page)
