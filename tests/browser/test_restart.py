from playwright.sync_api import expect

AWAY = (
    "WebSocket connection",
    "ERR_CONNECTION_REFUSED",
    "ERR_EMPTY_RESPONSE",
    "ERR_CONNECTION_RESET",
)
"""What a browser says when a server is not there."""


def shown_events(page):
    return set(
        page.locator("[data-event]").evaluate_all("all => all.map(one => one.dataset.event)")
    )


def test_the_page_goes_on_after_a_restart_and_misses_nothing(people, coordinator, fleet):
    channel = fleet.channel("restarted")
    page = people.page_of("operator")
    page.goto("/#/timeline")
    expect(page.locator("#connection")).to_contain_text("Live")
    first = int(fleet.ask("GET", "events?limit=1")["events"][0]["id"])
    page.evaluate("() => { window.stillHere = true }")

    fleet.task(channel, "just before")
    coordinator.stop()
    expect(page.locator("#connection")).not_to_contain_text("Live")
    coordinator.start()
    for number in range(20):
        fleet.task(channel, f"at once after it {number}")
    expect(page.locator("#connection")).to_contain_text("Live")
    fleet.task(channel, "later")

    events = fleet.ask("GET", "events?limit=100")["events"]
    happened = {event["id"] for event in events if int(event["id"]) > first}
    assert len(happened) >= 22
    newest = max(happened, key=int)
    expect(page.locator(f'[data-event="{newest}"]')).to_be_visible()
    assert happened - shown_events(page) == set()
    assert page.evaluate("() => window.stillHere")
    for words in AWAY:
        people.forgive(words)
