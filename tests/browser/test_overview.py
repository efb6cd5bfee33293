"""The overview: what needs a person, four numbers, plots, and the first steps of an empty one."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.pages import use_verb
from tests.browser.people import TOKEN, People, make_people
from tests.browser.site import Site
from tests.coordinator_project.conftest import copied
from tests.coordinator_project.running import eventually

COUNTED = re.compile(r"^\((\d+)\) ")


def finding(page, key):
    return page.locator(f'[data-finding="{key}"]')


def lock_chain(fleet, name):
    channel = fleet.channel(f"channel of {name}")
    chain, _ = fleet.chain(channel, name, ["dump", "load"])
    agent = f"agent of {name}"
    fleet.claim(agent, channel)
    fleet.ask("POST", f"chains/{chain['id']}/detach", agent_id=agent)
    return chain


def open_overview(page, values=""):
    page.goto(f"/#/{values}")
    expect(page.locator("#connection")).to_contain_text("Live")


@pytest.fixture
def nothing_locked(fleet):
    """No chain that another test has left: a finding names the first few alone."""
    for chain in fleet.ask("GET", "chains?status=locked")["chains"]:
        fleet.act("chains", "unlock_to_done", chain)


@pytest.mark.usefixtures("nothing_locked")
def test_what_needs_a_person_comes_live_with_its_remedy_and_is_counted(operator, fleet):
    open_overview(operator)
    chain = lock_chain(fleet, "needs an unlock")

    locked = finding(operator, "chain_locked")
    expect(locked).to_contain_text("locked until a person decides")
    expect(locked).to_contain_text("needs an unlock")
    expect(operator).to_have_title(COUNTED)
    count = int(COUNTED.match(operator.title())[1])
    icon = operator.locator('link[rel="icon"]').get_attribute("href")
    assert icon.endswith(f"/badges/{count if count < 10 else 'more'}.svg")
    assert operator.request.get(icon).ok
    expect(operator.locator("#bell")).to_contain_text(str(count))

    button = locked.get_by_role("button", name="Unlock to queued: needs an unlock")
    sentences = use_verb(operator, button, "it may go on")

    assert sentences
    expect(locked.get_by_text("needs an unlock")).to_have_count(0)
    row = fleet.ask("GET", f"chains/{chain['id']}")["chain"]
    assert row["status"] != "locked"


@pytest.mark.usefixtures("nothing_locked")
def test_a_finding_is_dismissed_for_everybody_until_something_new_comes_to_it(
    people, operator, fleet
):
    other = people.page_of("boss")
    lock_chain(fleet, "is left")
    for page in (operator, other):
        open_overview(page)
        expect(finding(page, "chain_locked")).to_be_visible()

    finding(operator, "chain_locked").get_by_role("button", name="Dismiss: ").click()

    for page in (operator, other):
        expect(finding(page, "chain_locked")).to_have_count(0)
    lock_chain(fleet, "is new")
    for page in (operator, other):
        expect(finding(page, "chain_locked")).to_contain_text("is new")


@pytest.mark.usefixtures("nothing_locked")
def test_things_of_one_title_are_told_apart(operator, fleet):
    twins = [lock_chain(fleet, "a twin") for _ in range(2)]
    open_overview(operator)
    locked = finding(operator, "chain_locked")
    locked.locator("summary").click()

    for twin in twins:
        said = f"a twin · {twin['id'][-8:]}"
        expect(locked.get_by_role("link", name=said)).to_be_visible()
        button = locked.get_by_role("button", name=f"Unlock to queued: {said}", exact=True)
        expect(button).to_be_visible()


def test_who_may_only_look_is_offered_no_remedy(people, fleet):
    lock_chain(fleet, "only looked at")
    viewer = people.page_of("viewer")

    open_overview(viewer)

    expect(finding(viewer, "chain_locked")).to_be_visible()
    assert finding(viewer, "chain_locked").get_by_role("button").count() == 0


def test_an_agent_that_waits_for_a_person_is_among_what_needs_one(operator, fleet):
    fleet.ask("POST", "agents/heartbeat", agent_id="waits", meta={"state": "setup_waiting"})
    open_overview(operator)

    row = operator.locator("#notifications li").filter(has_text="waits for a channel")
    row.get_by_role("button", name="Dismiss the notification of ").click()

    expect(row).to_have_count(0)


def test_the_four_numbers_are_links_and_change_live(operator, fleet):
    channel = fleet.channel("numbers")
    open_overview(operator)
    waiting = operator.locator('[data-number="waiting"] strong')
    before = waiting.inner_text()

    fleet.tasks(channel, ["one", "two", "three"])

    expect(waiting).not_to_have_text(before)
    links = operator.locator(".numbers a")
    assert links.count() == 4
    assert all(links.nth(place).get_attribute("href").startswith("#/") for place in range(4))


def test_range_and_channel_are_in_the_address_and_survive_reload_and_back(operator, fleet):
    channel = fleet.channel("plotted")
    fleet.tasks(channel, ["one"])
    fleet.complete("plotter", fleet.claim("plotter", channel))
    open_overview(operator)
    panel = operator.get_by_role("region", name="Over time")
    expect(panel.locator(".chart canvas")).to_have_count(3)
    expect(panel).to_contain_text("ended")

    panel.get_by_role("button", name="7 days").click()
    panel.get_by_label("Channel").select_option("plotted")

    expect(operator).to_have_url(re.compile(f"range=7d&channel={channel['id']}"))
    expect(panel).to_contain_text("1 task ended")
    operator.reload()
    expect(panel.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    expect(panel.get_by_label("Channel")).to_have_value(channel["id"])
    expect(panel.locator(".chart canvas")).to_have_count(3)
    operator.go_back()
    expect(panel.get_by_label("Channel")).to_have_value("")


def test_what_ended_within_a_minute_is_not_more_than_what_ended(operator, fleet):
    channel = fleet.channel("ended once")
    fleet.tasks(channel, ["one"])
    fleet.complete("once", fleet.claim("once", channel))

    open_overview(operator, f"?channel={channel['id']}")

    panel = operator.get_by_role("region", name="Over time")
    expect(panel).to_contain_text("1 task ended, at most 1 per minute")


def test_the_latest_is_said_in_words_and_kept_apart_from_what_agents_say(operator, fleet):
    channel = fleet.channel("in words")
    open_overview(operator)
    task = fleet.task(channel, "comes live")
    latest = operator.get_by_role("region", name="Latest")
    line = latest.get_by_role("listitem").filter(has_text="in words").filter(has_text="Task made")
    expect(line).to_have_count(1)
    operator.reload()
    expect(line).to_have_count(1)

    operator.goto(f"/#/timeline?task_id={task['id']}&source=coordinator")
    lines = operator.get_by_role("main").get_by_role("listitem")
    expect(lines).to_have_text([re.compile("Task made")])
    fleet.claim("speaks in words", channel)
    expect(lines.filter(has_text="Task claimed")).to_have_count(1)


RECORD = 'printf "%s\\n" "$COORDINATOR_URL" "$@" > "$(dirname "$0")/args"'


def test_the_line_that_connects_an_agent_does_no_task_by_itself(operator, fleet, tmp_path):
    name = "it's $HOME"
    fleet.task(fleet.channel(name), "waits")
    client = tmp_path / "coordinator"
    client.write_text(f"#!/bin/sh\n{RECORD}\n")
    client.chmod(0o755)
    operator.goto("/#/")
    show = "([module, name]) => import(module).then(({ connectAgent }) => connectAgent(name))"
    operator.evaluate(show, ["/static/dashboard/first_run.js", name])
    line = operator.get_by_role("dialog").locator("code").last.inner_text()
    path = f"{tmp_path}:{os.environ['PATH']}"

    with shell(line, PATH=path) as refused:
        refused.communicate(timeout=30)
    assert not (tmp_path / "args").exists()
    with shell(line, PATH=path, COMMAND="./work.sh 'a b'") as runs:
        runs.communicate(timeout=30)

    url, *args = (tmp_path / "args").read_text().splitlines()
    assert operator.url.startswith(url)
    assert args == ["agent", "run", "--queue", name, "--exec", "./work.sh 'a b'"]
    accessibility.check(operator)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440, 2560])
def test_the_overview_can_be_used_by_everybody_in_every_width(people, fleet, theme, width):
    lock_chain(fleet, f"{'long ' * 30}{width} {theme}")
    page = people.page_of("operator", color_scheme=theme, viewport={"width": width, "height": 900})

    open_overview(page, "?range=24h")
    expect(page.locator(".chart").first).to_be_attached()

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    accessibility.check(page)


@pytest.fixture(scope="module")
def empty(first_run, place):
    """A coordinator in protected mode, of which nobody has asked anything."""
    with Site(copied(first_run, place.parent / "empty")) as site:
        yield site


@pytest.fixture(scope="module")
def empty_with_token(first_run, place):
    """One that wants a token."""
    with Site(
        copied(first_run, place.parent / "empty-token"), COORDINATOR_AUTH_TOKEN=TOKEN
    ) as site:
        make_people(place.parent / "empty-token")
        yield site


@contextmanager
def shell(line, **environment):
    """A terminal in which the line runs; what is left of it ends with the block."""
    process = subprocess.Popen(
        ["/bin/bash", "-c", line],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=20)


def line_of(page, step):
    return page.locator(f'[data-step="{step}"] code').inner_text()


def run_the_steps(page, **environment):
    """Copy each line and run it as it is; the steps tick themselves off."""
    steps = {name: page.locator(f'[data-step="{name}"]') for name in ("connect", "give", "watch")}
    for step in steps.values():
        expect(step).not_to_have_class(re.compile("done"))
    connect, give, watch = (line_of(page, name) for name in steps)
    assert page.url.startswith(re.search(r"'(http://[^/]+)/", connect)[1])

    with shell(connect, **environment), shell(watch, **environment) as watched:
        expect(steps["connect"]).to_have_class(re.compile("done"))
        with shell(give, **environment) as given:
            assert "my first task" in given.communicate(timeout=30)[0]
        expect(steps["give"]).to_have_class(re.compile("done"))
        expect(page.get_by_role("heading", name="Welcome")).to_have_count(0)
        eventually(lambda: '"type":"tasks"' in watched.stdout.readline())
    page.reload()
    expect(page.locator("#connection")).to_contain_text("Live")
    expect(page.get_by_role("heading", name="Welcome")).to_have_count(0)
    expect(page.locator('[data-number="ended"]')).to_contain_text("1 in the last hour")


BELOW = "one below the other"
HOW_STEPS_LIE = """(steps, below) => steps.map((step) => {
  const parts = ["h3", "p", "code"].map((part) => step.querySelector(part).getBoundingClientRect());
  const [title, says, line] = parts;
  const stacked = title.bottom <= says.top && says.bottom <= line.top;
  const whole = title.height < 40 && line.width > step.clientWidth / 2;
  return stacked && whole ? below : JSON.stringify(parts);
})"""


def test_an_empty_coordinator_greets_with_lines_that_are_true(browser, empty):
    people = People(browser, empty.url, {})
    page = people.page(permissions=["clipboard-read", "clipboard-write"])
    open_overview(page)
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    assert "Authorization" not in line_of(page, "connect")
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        accessibility.check(page)
        steps = page.locator("[data-step]")
        assert steps.evaluate_all(HOW_STEPS_LIE, BELOW) == [BELOW] * 3

    page.get_by_role("button", name="Copy: Give it a task").click()
    expect(page.locator("#announcements")).to_contain_text("copied")
    assert page.evaluate("navigator.clipboard.readText()") == line_of(page, "give")

    run_the_steps(page)
    people.leave()


def test_the_lines_carry_a_token_where_one_is_needed(browser, empty_with_token):
    people = People(browser, empty_with_token.url, {})
    page = people.page_of("operator")
    open_overview(page)

    expect(page.get_by_role("link", name="Make a token")).to_be_visible()
    assert TOKEN not in page.content()
    run_the_steps(page, COORDINATOR_TOKEN=TOKEN)
    people.leave()


def test_who_waits_is_shown_while_the_overview_greets(browser, place, first_run):
    with Site(copied(first_run, place.parent / "empty-but-for-one")) as site:
        waits = {"agent_id": "waits", "meta": {"state": "setup_waiting"}}
        httpx.post(f"{site.url}/v1/agents/heartbeat", json=waits).raise_for_status()
        people = People(browser, site.url, {})
        page = people.page()
        open_overview(page)

        expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
        expect(page.locator("#notifications")).to_contain_text("waits for a channel")
        people.leave()


def test_the_steps_are_gone_for_good_when_they_are_dismissed(browser, place, first_run):
    with Site(copied(first_run, place.parent / "empty-dismissed")) as site:
        people = People(browser, site.url, {})
        page = people.page()
        open_overview(page)

        page.get_by_role("button", name="Dismiss").click()

        expect(page.get_by_text("Nothing needs you.")).to_be_visible()
        page.reload()
        expect(page.get_by_text("Nothing needs you.")).to_be_visible()
        expect(page.get_by_role("heading", name="Welcome")).to_have_count(0)
        people.leave()


LARGEST = 300_000  # bytes of the first view
READ = """() => performance.getEntriesByType("resource").map(
  ({ name, transferSize }) => [new URL(name).pathname, transferSize])"""


def test_the_first_view_is_small_and_asks_no_other_host(people, fleet):
    for number in range(40):
        fleet.ask("POST", "agents/heartbeat", agent_id=f"seen first {number}")
    page = people.page_of("operator", viewport={"width": 2560, "height": 1400})
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    open_overview(page)
    expect(page.locator(".chart canvas")).to_have_count(3)

    read = dict(page.evaluate(READ))
    assert any(path.endswith("uPlot.iife.min.js") for path in read)
    assert sum(read.values()) < LARGEST
    assert all(one.replace("ws", "http").startswith(people.url) for one in asked)
