import re
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.pages import PARTS, chain_on, open_board, part_of, use_verb, verb_of
from tests.coordinator_project.running import eventually


def test_a_chain_is_made_worked_by_an_agent_and_seen_moving_without_a_reload(operator, fleet):
    channel = fleet.channel("moving")
    open_board(operator, channel)

    operator.get_by_role("button", name="New chain", exact=True).click()
    operator.get_by_role("dialog").get_by_label("Name").fill("release")
    operator.get_by_role("dialog").get_by_role("button", name="New chain").click()
    chain = chain_on(operator, "release")
    chain.get_by_role("button", name="release").click()
    for title in ("compile", "publish"):
        chain.get_by_role("button", name="New task").click()
        operator.get_by_role("dialog").get_by_label("Title").fill(title)
        operator.get_by_role("dialog").get_by_role("button", name="New task").click()
        expect(part_of(chain, "Queued")).to_contain_text(title)

    operator.evaluate("() => { window.stillHere = true }")
    task = fleet.claim("agent-1", channel)
    expect(part_of(chain, "In progress")).to_contain_text("compile")
    expect(chain).to_contain_text("agent-1")
    fleet.complete("agent-1", task)
    expect(part_of(chain, "Done")).to_contain_text("compile")
    fleet.complete("agent-1", fleet.claim("agent-1", channel))
    expect(part_of(chain, "Done")).to_contain_text("publish")
    expect(chain).to_contain_text("2 / 2")

    assert operator.evaluate("() => window.stillHere")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part or "overview")
def test_every_part_of_the_dashboard_can_be_used_by_everybody(operator, fleet, part):
    channel = fleet.channel(f"for everybody {part}")
    fleet.task(channel, "waits")
    fleet.claim("agent-2", channel)

    operator.goto(f"/#/{part}")
    expect(operator.locator("main")).not_to_have_attribute("aria-busy", "true")
    expect(operator.get_by_role("heading", level=1)).to_be_attached()

    accessibility.check(operator)


def test_a_chain_whose_agent_hangs_is_detached_and_unlocked_from_the_dashboard(operator, fleet):
    channel = fleet.channel("hanging")
    _, tasks = fleet.chain(channel, "migration", ["dump", "load"])
    fleet.claim("agent-3", channel)
    open_board(operator, channel)
    chain = chain_on(operator, "migration")
    chain.get_by_role("button", name="migration").click()

    sentences = use_verb(operator, chain.get_by_role("button", name="Detach: "), "the agent hangs")
    assert "Ownership of agent agent-3 ends." in sentences
    expect(chain).to_contain_text("1 locked")
    expect(chain).to_contain_text("no owner")

    use_verb(operator, chain.get_by_role("button", name="Unlock to queued: "), "try it again")
    expect(chain).not_to_contain_text("locked")
    expect(part_of(chain, "Queued")).to_contain_text("dump")

    assert fleet.seen(tasks[0])["status"] == "queued"
    events = fleet.ask("GET", f"events?task_id={tasks[0]['id']}")["events"]
    reasons = {(event.get("actor"), event.get("reason")) for event in events}
    assert {
        ("user:operator", "the agent hangs"),
        ("user:operator", "try it again"),
    } <= reasons


def test_a_task_is_assigned_from_its_page_and_then_offers_other_verbs(operator, fleet):
    channel = fleet.channel("assigned")
    fleet.task(channel, "known by it")
    fleet.complete("agent-9", fleet.claim("agent-9", channel))
    task = fleet.task(channel, "by hand")
    open_board(operator, channel)
    operator.get_by_role("link", name="by hand").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text("by hand")

    verb_of(operator, "Assign").click()
    dialog = operator.get_by_role("dialog").last
    dialog.get_by_label("Agent").fill("agent-9")
    dialog.get_by_label("Reason").fill("it knows how")
    dialog.get_by_role("button", name="Assign", exact=True).click()

    expect(operator.locator(".thing-head")).to_contain_text("in progress")
    verbs = operator.locator(".verbs")
    expect(verbs.locator("button").filter(has_text=re.compile("^Cancel"))).not_to_have_count(0)
    expect(
        verbs.locator("button").filter(has_text=re.compile("^(Assign|Requeue|Unlock)"))
    ).to_have_count(0)
    assert fleet.seen(task)["assigned_agent_id"] == "agent-9"


def test_a_task_says_why_it_waits(operator, fleet):
    channel = fleet.channel("why")
    fleet.chain(channel, "ordered", ["first", "second"])
    fleet.claim("agent-4", channel)
    open_board(operator, channel)
    chain_on(operator, "ordered").get_by_role("button", name="ordered").click()

    operator.get_by_role("link", name="2. second").click()

    expect(operator.get_by_role("heading", name="Why is it not running?")).to_be_visible()
    expect(operator.locator("[data-why]").first).to_be_visible()
    accessibility.check(operator)


CONTROLS = re.compile("^(New|Claim|Ask|Assign|Detach|Unlock|Release|Pause|Cancel|Requeue|Drain)")


def test_who_may_only_look_sees_no_controls(people, fleet):
    channel = fleet.channel("looked at")
    fleet.chain(channel, "watched", ["one"])
    fleet.task(channel, "alone")
    fleet.claim("agent-5", channel)
    pages = {name: people.page_of(name) for name in ("viewer", "operator")}
    for page in pages.values():
        open_board(page, channel)
        chain_on(page, "watched").get_by_role("button", name="watched").click()
        expect(page.get_by_role("link", name="1. one")).to_be_visible()

    shown = {
        name: page.get_by_role("button", name=CONTROLS).count() for name, page in pages.items()
    }

    assert shown["operator"] > 5
    assert shown["viewer"] == 0


@pytest.mark.parametrize(("language", "board"), [("ko", "보드"), ("ru", "Доска")], ids=["ko", "ru"])
def test_it_speaks_the_language_of_the_browser(people, fleet, language, board):
    channel = fleet.channel(f"spoken {language}")
    page = people.page_of("operator", locale=language)

    page.goto(f"/#/board/{channel['id']}")

    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.get_by_role("link", name=board)).to_be_visible()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#connection")).not_to_contain_text("Live")


def test_a_task_and_an_agent_are_found_by_their_words(operator, fleet):
    channel = fleet.channel(f"searched {uuid4().hex[:8]}")
    fleet.task(channel, "frobnicate <b>the widget</b>")
    fleet.claim("agent-frobnicate", channel)
    operator.goto("/#/search")
    box = operator.get_by_role("searchbox", name="Words to search for")

    # Others may be near to the word, and are shown while this one is not in the index yet.
    found = operator.locator("[data-found]").filter(has_text="the widget").first

    def is_found():
        box.fill("")
        box.fill("frobnicate")
        operator.wait_for_timeout(1_000)
        return found.count()

    eventually(is_found, within=60)  # the loop adds new tasks every ten seconds

    expect(found.locator("mark")).to_have_text("frobnicate")
    expect(found.locator("pre")).to_contain_text("<b>the widget</b>")
    expect(operator.get_by_role("link", name="agent-frobnicate")).to_be_visible()
    accessibility.check(operator)
    found.get_by_role("link").first.click()
    expect(operator.locator(".thing-head")).to_contain_text("agent-frobnicate")
