"""The pages of tasks, chains, jobs, agents and channels: their addresses and what they show."""

import json
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.fleet import Fleet
from tests.browser.pages import chain_on, open_board, use_verb, verb_of
from tests.browser.people import PASSWORD, sign_in

NOBODY = "0197aaaa-0000-7000-8000-000000000000"
SWEEP = {
    "jarPath": "optimizer.jar",
    "mainClass": "Main",
    "algorithms": ["PSO"],
    "iterations": {"min": 100, "max": 300, "step": 100},
    "agents": {"min": 20, "max": 20, "step": 20},
    "dimension": {"min": 2, "max": 2, "step": 2},
}


def title(page):
    return page.get_by_role("heading", level=1)


def part(page, name):
    return page.get_by_role("region", name=name, exact=True)


def sweep(fleet):
    answer = fleet.post(fleet.base_url.copy_with(path="/api/v1/jobs"), json=SWEEP)
    assert answer.is_success, answer.text
    return answer.json()["jobId"]


@pytest.fixture(scope="module")
def things(coordinator):
    """One of each, by the first part of its address."""
    with Fleet(coordinator.url) as fleet:
        channel = fleet.channel("things with pages")
        chain, _ = fleet.chain(channel, "a chain with a page", ["first", "second"])
        task = fleet.task(channel, "a task with a page")
        agent = f"agent-page/1 #{channel['id'][-8:]}"  # it gets one task, so it is of this set
        fleet.claim(agent, channel)
        return {
            "tasks": (task["id"], "a task with a page"),
            "chains": (chain["id"], "a chain with a page"),
            "jobs": (sweep(fleet), re.compile("^Sweep ")),
            "agents": (quote(agent, safe=""), agent),
            "channels": (channel["id"], re.compile("^Board of things with pages")),
        }


KINDS = ["tasks", "chains", "jobs", "agents", "channels"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_has_an_address_that_shows_it_again(operator, things, kind):
    key, name = things[kind]

    operator.goto(f"/#/{kind}/{key}")
    expect(title(operator)).to_have_text(name)
    expect(operator).to_have_title(re.compile("Coordinator"))
    accessibility.check(operator)
    operator.reload()
    expect(title(operator)).to_have_text(name)


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_of_what_is_gone_says_so_and_where_to_go(people, operator, kind):
    operator.goto(f"/#/{kind}/{NOBODY}")

    expect(title(operator)).to_have_text(re.compile("^There is no such .* any more"))
    expect(operator.get_by_role("main").get_by_role("link", name="Overview")).to_be_visible()
    people.forgive("status of 404")


def test_a_thing_that_goes_while_its_page_is_open_is_said_to_be_gone(people, operator, fleet):
    channel = fleet.channel("goes away")
    task = fleet.task(channel, "is deleted")
    operator.goto(f"/#/tasks/{task['id']}")
    expect(title(operator)).to_have_text("is deleted")

    fleet.claim("goes-away", channel)
    fail = {"agent_id": "goes-away", "reason": "broken", "retriable": False}
    fleet.ask("POST", "tasks/fail", task_id=task["id"], **fail)
    fleet.ask("POST", "dead-letters/purge", ids=[task["id"]], reason="not needed")

    expect(title(operator)).to_have_text("There is no such task any more.")
    people.forgive("status of 404")


def test_an_address_of_no_page_says_so(operator):
    operator.goto("/#/nothing/at/all")

    expect(title(operator)).to_have_text("There is no such page")
    accessibility.check(operator)


def test_who_must_sign_in_first_comes_to_the_very_address(people, things):
    page = people.page()
    key, name = things["chains"]

    page.goto(f"/#/chains/{key}")
    page.wait_for_url("**/login?next=**")
    sign_in(page, "viewer", "not the password")
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in(page, "viewer", PASSWORD)

    expect(title(page)).to_have_text(name)
    expect(page).to_have_url(re.compile(f"#/chains/{key}$"))


def test_whose_session_ends_comes_back_to_the_page_that_was_open(people, things, coordinator):
    page = people.page()
    key, name = things["tasks"]
    page.goto(f"/#/tasks/{key}")
    sign_in(page, "viewer")
    expect(title(page)).to_have_text(name)

    page.context.clear_cookies()
    page.goto("/#/timeline")
    page.wait_for_url("**/login?next=**")
    sign_in(page, "viewer")

    expect(page).to_have_url(f"{coordinator.url}/#/timeline")
    people.forgive("status of 401")


def test_filters_are_in_the_address_and_back_and_forward_lead_through_them(operator, fleet):
    channel = fleet.channel("filtered")
    fleet.task(channel, "of the filtered channel")
    operator.goto("/#/timeline")
    box = operator.get_by_role("combobox", name="Channel")
    box.select_option(channel["id"])
    expect(operator).to_have_url(re.compile(f"channel_id={channel['id']}"))
    operator.get_by_role("combobox", name="Time").select_option("hour")
    expect(operator).to_have_url(re.compile("within=hour"))

    operator.go_back()
    expect(operator.get_by_role("combobox", name="Time")).to_have_value("")
    expect(box).to_have_value(channel["id"])
    operator.go_forward()
    expect(operator.get_by_role("combobox", name="Time")).to_have_value("hour")
    operator.reload()
    expect(box).to_have_value(channel["id"])
    expect(operator.locator("[data-event]").first).to_contain_text("filtered")


def test_older_is_offered_only_where_there_is_something_older(operator, fleet):
    channel = fleet.channel("short history")
    chain, _ = fleet.chain(channel, "short", ["only"])

    operator.goto(f"/#/timeline?chain_id={chain['id']}")

    expect(operator.locator("[data-event]")).to_have_count(2)
    expect(operator.get_by_role("button", name="Older")).to_have_count(0)
    expect(operator.get_by_text("Only:")).to_be_visible()


def test_what_is_searched_for_is_in_the_address(operator):
    operator.goto("/#/search")
    operator.get_by_role("searchbox").fill("sandglass & 100%")
    expect(operator).to_have_url(re.compile(r"q=sandglass"))

    operator.reload()

    expect(operator.get_by_role("searchbox")).to_have_value("sandglass & 100%")


def test_a_new_page_begins_at_its_top_and_back_leads_to_where_one_was(operator, fleet):
    channel = fleet.channel("scrolled")
    fleet.tasks(channel, [f"row {number}" for number in range(40)])
    open_board(operator, channel)
    link = operator.get_by_role("link", name="row 39")
    link.scroll_into_view_if_needed()
    operator.wait_for_timeout(400)
    before = operator.evaluate("scrollY")
    assert before > 200

    link.click()
    expect(title(operator)).to_have_text("row 39")
    operator.wait_for_function("scrollY === 0")
    assert operator.evaluate("document.activeElement.id") == "main"
    operator.go_back()

    operator.wait_for_function("(before) => Math.abs(scrollY - before) < 50", arg=before)


def test_names_are_links_that_open_in_a_tab_of_their_own(operator, fleet, things):
    channel = fleet.channel("linked")
    chain, tasks = fleet.chain(channel, "linked chain", ["linked task"])
    fleet.claim("linked-agent", channel)
    open_board(operator, channel)
    card = chain_on(operator, "linked chain")
    card.get_by_role("button", name="linked chain").click()

    href = {
        name: card.get_by_role("link", name=name).first.get_attribute("href")
        for name in ("Page of linked chain", "1. linked task", "linked-agent")
    }

    assert href == {
        "Page of linked chain": f"#/chains/{chain['id']}",
        "1. linked task": f"#/tasks/{tasks[0]['id']}",
        "linked-agent": "#/agents/linked-agent",
    }
    with operator.context.expect_page():
        card.get_by_role("link", name="1. linked task").click(modifiers=["ControlOrMeta"])
    another = operator.context.new_page()  # the tab behind is drawn when the browser likes
    another.goto(f"/{href['1. linked task']}")
    expect(title(another)).to_have_text("linked task")


def test_the_page_of_a_task_follows_it_and_shows_its_errors_as_they_were_written(operator, fleet):
    channel = fleet.channel("followed")
    task = fleet.task(channel, "followed task", max_attempts=1)
    operator.goto(f"/#/tasks/{task['id']}")
    head = operator.locator(".thing-head")
    expect(head).to_contain_text("queued")
    operator.evaluate("window.stillHere = true")

    fleet.claim("follower", channel)
    expect(head).to_contain_text("in progress")
    expect(head.get_by_role("link", name="follower")).to_be_visible()
    reason = "Traceback:\n  line 1\n    ValueError: <b>no</b>"
    fleet.ask("POST", "tasks/fail", task_id=task["id"], agent_id="follower", reason=reason)

    expect(head).to_contain_text("failed")
    error = operator.locator("pre.error").first
    expect(error).to_be_visible()
    assert error.inner_text() == reason
    assert "monospace" in error.evaluate("(one) => getComputedStyle(one).fontFamily")
    assert operator.evaluate("window.stillHere")
    expect(part(operator, "Timeline")).to_contain_text("Task failed")
    accessibility.check(operator)


def test_a_payload_folds_by_keyboard_and_what_is_large_is_bounded(operator, fleet):
    channel = fleet.channel("folded")
    payload = {
        "script": "first line\nsecond line",
        "many": list(range(1_000)),
        "deep": {"inner": {"innermost": {"value": "at the bottom"}}},
        "long": "x" * 50_000,
    }
    task = fleet.task(channel, "folds", payload=payload)
    operator.goto(f"/#/tasks/{task['id']}")
    shown = part(operator, "Payload")

    expect(shown.get_by_text("first line")).to_have_text("first line\nsecond line")
    expect(shown.get_by_role("button", name="Show all 50,000 characters")).to_be_visible()
    expect(shown).not_to_contain_text("at the bottom")
    summary = shown.locator("summary").filter(has_text="innermost")
    summary.focus()
    operator.keyboard.press("Enter")
    expect(shown).to_contain_text("at the bottom")
    operator.keyboard.press("Enter")
    expect(shown).not_to_contain_text("at the bottom")
    shown.locator("summary").filter(has_text="1,000 entries").click()
    expect(shown.get_by_role("button", name="Show more (900)")).to_be_visible()
    assert shown.locator("li").count() < 150


def test_the_log_and_the_files_of_a_task_are_on_its_page(operator, fleet):
    task = fleet.command("with-leavings", "leaves something", "runner-9")
    operator.goto(f"/#/tasks/{task['id']}")
    expect(title(operator)).to_have_text("leaves something")
    expect(operator.locator(".log")).to_have_count(0)
    fleet.log(task, 1, "said by the command")
    fleet.file(task, "report.txt", b"content")
    fleet.exit(task)

    expect(operator.locator(".thing-head")).to_contain_text("done")
    expect(operator.locator(".log .line")).to_contain_text("said by the command")
    expect(operator.get_by_role("link", name="report.txt")).to_be_visible()


def test_a_chain_shows_its_steps_and_the_locked_one_with_its_remedy(operator, fleet):
    channel = fleet.channel("stepped")
    chain, _ = fleet.chain(channel, "stepped chain", ["one", "two", "three"])
    fleet.complete("stepper", fleet.claim("stepper", channel))
    fleet.claim("stepper", channel)
    operator.goto(f"/#/chains/{chain['id']}")
    steps = operator.locator(".step")
    expect(steps).to_have_count(3)
    expect(steps.nth(0)).to_contain_text("done")
    expect(steps.nth(1)).to_contain_text("in progress")
    expect(operator.get_by_role("link", name="stepper").first).to_be_visible()

    use_verb(operator, verb_of(operator, "Detach"), "the agent hangs")

    expect(steps.nth(1).locator(".status")).to_have_text("locked")
    expect(part(operator, "Details")).to_contain_text("no owner")
    accessibility.check(operator)
    use_verb(operator, steps.nth(1).get_by_role("button", name="Unlock to done"), "it was done")
    expect(steps.nth(1).locator(".status")).to_have_text("done")
    expect(steps.nth(1).get_by_role("button")).to_have_count(0)


def test_a_job_says_when_nobody_works_on_it_and_leads_to_what_failed(operator, fleet, things):
    job, _ = things["jobs"]

    operator.goto(f"/#/jobs/{job}")

    expect(operator.locator("[data-left]")).to_have_text("Nobody works on it.")
    expect(operator.locator(".thing-head")).to_contain_text("0 / 3")
    waiting = operator.get_by_role("link", name="Waiting", exact=True)
    assert waiting.get_attribute("href") == f"#/tasks?job={job}&status=queued"


def test_an_agent_shows_what_it_holds_did_and_failed(operator, fleet):
    channel = fleet.channel("worked")
    fleet.tasks(channel, ["well done", "badly done", "in its hands"])
    fleet.complete("worker-1", fleet.claim("worker-1", channel))
    bad = fleet.claim("worker-1", channel)
    operator.goto("/#/agents/worker-1")
    expect(part(operator, "What it holds")).to_contain_text("badly done")
    fleet.ask(
        *("POST", "tasks/fail"),
        task_id=bad["id"],
        agent_id="worker-1",
        reason="a\nb",
        retriable=False,
    )
    fleet.claim("worker-1", channel)

    expect(part(operator, "What it holds")).to_contain_text("in its hands")
    expect(part(operator, "What it did last")).to_contain_text("well done")
    expect(part(operator, "Its last failure").get_by_role("link")).to_have_text("badly done")
    expect(part(operator, "Its last failure").locator("pre")).to_have_text("a\nb")
    expect(operator.locator(".counters")).to_contain_text("50 %")
    accessibility.check(operator)


def test_large_numbers_are_shown_and_copied_as_the_agent_reads_them(people, fleet):
    numbers = {"seed": 18446744073709551615, "odd": 2**53 + 1, "below": -(2**63), "small": 7}
    task = fleet.task(fleet.channel("seeds"), "draws", payload=numbers | {"list": [2**64]})
    page = people.page_of("viewer", permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"/#/tasks/{task['id']}")
    shown = part(page, "Payload")

    for number in [*numbers.values(), 2**64]:
        expect(shown.get_by_text(str(number), exact=True)).to_be_visible()
    shown.get_by_role("button", name="Copy: Payload").click()

    expect(page.locator("#announcements")).to_contain_text("It has been copied.")
    assert json.loads(page.evaluate("navigator.clipboard.readText()"))["odd"] == 2**53 + 1


def test_an_id_is_copied_whole(people, things):
    page = people.page_of("viewer", permissions=["clipboard-read", "clipboard-write"])
    key, _ = things["tasks"]
    page.goto(f"/#/tasks/{key}")

    page.get_by_role("button", name="Copy the id").click()

    expect(page.locator("#announcements")).to_contain_text("It has been copied.")
    assert page.evaluate("navigator.clipboard.readText()") == key


def test_who_may_only_look_is_offered_nothing_on_a_page(people, things):
    page = people.page_of("viewer")
    for kind in ("tasks", "chains", "jobs", "agents"):
        key, name = things[kind]
        page.goto(f"/#/{kind}/{key}")
        expect(title(page)).to_have_text(name)
        expect(page.locator(".verbs button")).to_have_count(0)


def test_a_button_of_a_remedy_says_what_it_is_used_on(operator, fleet):
    channel = fleet.channel("resumed or not")
    task = fleet.task(channel, "waits for both")
    open_board(operator, channel)
    use_verb(operator, verb_of(operator, "Pause"), "maintenance")
    operator.goto(f"/#/tasks/{task['id']}")

    expect(part(operator, "Why is it not running?").get_by_role("button").first).to_have_text(
        "Resume: Channel resumed or not"
    )
