from playwright.sync_api import expect

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
