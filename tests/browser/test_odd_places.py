"""Addresses with nonsense, lists that cannot be read, and what browsers and clocks do to both."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.people import TOKEN
from tests.browser.test_overview import shell
from tests.browser.test_tables import row, rows_of, show_tasks
from tests.coordinator_project.running import eventually

REFUSED = "400 (Bad Request)"
"""What a browser says of an answer that a test is right to expect."""


def asked_of(page, path):
    """The requests for a path from now on."""
    found = []
    page.on("request", lambda request: found.append(request.url) if path in request.url else None)
    return found


@pytest.fixture
def fail(fleet):
    """Ends a task as a dead letter."""

    def end(channel, reason):
        task = fleet.claim("agent-of-odd-places", channel)
        body = {"task_id": task["id"], "agent_id": "agent-of-odd-places", "reason": reason}
        return fleet.ask("POST", "tasks/fail", **body, retriable=False)["task"]

    return end


@pytest.mark.parametrize(
    "address",
    [
        "#/tasks?age=constructor",
        "#/tasks?status=toString&channel=x&agent=%00",
        "#/jobs?age=valueOf&status=constructor",
        "#/agents?sort=constructor&show=nonsense",
        "#/dead-letters?age=hasOwnProperty&reason=constructor&group=x",
        "#/actions?age=constructor&kind=toString",
        "#/timeline?within=constructor",
        "#/usage?measure=constructor",
        "#/?range=constructor",
        "#/tasks?age=between&from=nonsense&to=99999999",
        "#/search?q=%E2%80%AE",
    ],
)
def test_nonsense_in_an_address_shows_a_page(people, operator, address):
    operator.goto("/")
    expect(operator.locator("#connection")).to_contain_text("Live")
    many = asked_of(operator, "/console/")
    operator.goto(f"/{address}")

    expect(operator.get_by_role("heading", level=1).first).to_be_attached()
    operator.wait_for_timeout(1_500)
    expect(operator.locator("#main .panel").first).to_be_visible()
    assert len(many) < 12
    for words in (REFUSED, "404 (Not Found)"):
        people.forgive(words)


@pytest.mark.parametrize("kind", ["tasks", "chains", "jobs", "agents"])
@pytest.mark.parametrize("name", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_an_address_of_what_never_was_says_so(people, operator, kind, name):
    operator.goto(f"/#/{kind}/{name}")

    expect(operator.get_by_role("heading", name=re.compile("^There is no such"))).to_be_visible()
    people.forgive("404 (Not Found)")


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("#/dead-letters?age=day", "/console/tables/dead-letters"),
        ("#/dead-letters?age=day&group=all", "/console/tables/dead-letters/rows"),
        ("#/actions?age=day", "/console/tables/actions"),
        ("#/tasks?age=day", "/console/tables/tasks"),
        ("#/jobs?age=older", "/console/tables/jobs"),
    ],
)
def test_a_list_of_the_last_hours_is_read_once(fleet, operator, fail, address, path):
    channel = fleet.channel(f"read once {address}")
    fleet.tasks(channel, ["ends badly"])
    fail(channel, "read once")
    operator.goto("/#/usage")
    expect(operator.locator("#connection")).to_contain_text("Live")
    asked = asked_of(operator, path)

    operator.goto(f"/{address}")
    expect(operator.get_by_role("heading", level=1)).to_be_visible()
    operator.wait_for_timeout(3_000)

    assert 1 <= len(asked) <= 2


def test_all_that_match_are_named_also_of_the_last_hours(fleet, operator):
    channel = fleet.channel("of the last hour")
    fleet.tasks(channel, ["one", "two", "three"])
    show_tasks(operator, channel, "&age=hour")
    expect(rows_of(operator)).to_have_count(3)

    operator.get_by_role("button", name="All that match…").click()
    expect(operator.get_by_text("all 3 that match")).to_be_visible()
    operator.wait_for_timeout(6_000)  # the page is painted again meanwhile
    expect(operator.get_by_text("all 3 that match")).to_be_visible()


def test_nobody_chooses_what_is_not_listed_any_more(fleet, operator):
    one, other = fleet.channel("chosen here"), fleet.channel("not chosen there")
    for channel, agent in [(one, "agent-chosen-1"), (other, "agent-chosen-2")]:
        fleet.ask(
            "POST", "agents/heartbeat", agent_id=agent, subscriptions=[channel["name"]], name=agent
        )
        fleet.tasks(channel, [f"task of {agent}"])
    operator.goto("/#/agents?text=agent-chosen-1")
    rows_of(operator).first.get_by_role("checkbox").click()
    expect(operator.get_by_text("1 chosen")).to_be_visible()
    operator.get_by_label("Find").fill("agent-chosen-2")
    expect(row(operator, "agent-chosen-2")).to_be_visible()
    expect(operator.get_by_text("1 chosen")).to_have_count(0)

    show_tasks(operator, one)
    operator.goto(f"/#/tasks?channel={other['id']}")
    rows_of(operator).first.get_by_role("checkbox").click()
    expect(operator.get_by_text("1 chosen")).to_be_visible()
    operator.go_back()
    expect(row(operator, "task of agent-chosen-1")).to_be_visible()
    expect(operator.get_by_text("1 chosen")).to_have_count(0)


def test_a_list_that_is_refused_shows_why_and_no_rows_of_another(people, fleet, operator):
    channel = fleet.channel("refused list")
    fleet.tasks(channel, ["of another list"])
    show_tasks(operator, channel)
    expect(rows_of(operator)).to_have_count(1)

    operator.goto(f"/#/tasks?channel={channel['id']}&sort=nonsense")

    expect(operator.get_by_text("sort must be one of")).to_be_visible()
    expect(rows_of(operator)).to_have_count(0)
    people.forgive(REFUSED)


def test_a_list_goes_on_where_the_server_was_away(people, fleet, operator):
    channel = fleet.channel("away")
    fleet.tasks(channel, ["there again"])
    operator.goto("/#/usage")
    expect(operator.locator("#connection")).to_contain_text("Live")
    operator.route("**/console/tables/**", lambda route: route.abort())
    operator.goto(f"/#/tasks?channel={channel['id']}")
    expect(operator.get_by_text("The server cannot be reached.")).to_be_visible()

    operator.unroute("**/console/tables/**")
    operator.get_by_role("button", name="Read again").click()

    expect(row(operator, "there again")).to_be_visible()
    expect(operator.get_by_text("The server cannot be reached.")).to_have_count(0)
    people.forgive("ERR_FAILED")


def test_what_nobody_has_told_is_read_again_when_everything_is(fleet, operator):
    channel = fleet.channel("slept")
    [task] = fleet.tasks(channel, ["ends unseen"])
    operator.route_web_socket(re.compile("/console/live"), lambda socket: None)
    operator.goto(f"/#/tasks?channel={channel['id']}")
    expect(row(operator, "ends unseen")).to_contain_text("queued")
    fleet.claim("agent-of-sleepers", channel)

    operator.evaluate("""async () => (await import("/static/dashboard/store.js")).open()""")

    expect(row(operator, "ends unseen")).to_contain_text("in progress")
    assert task["id"]


def test_times_of_a_filter_are_those_of_the_chosen_zone_and_of_everybody(fleet, people):
    page = people.page_of("operator", timezone_id="Asia/Seoul")
    page.context.add_cookies([{"name": "timezone", "value": "America/New_York", "url": people.url}])
    asked = asked_of(page, "/console/tables/tasks")
    page.goto("/#/tasks?age=between")
    page.get_by_label("From").fill("2026-03-08T12:00")  # summer has begun that morning
    page.get_by_label("To").fill("2026-03-09T00:30")

    expect(page).to_have_url(re.compile("from=2026-03-08T16%3A00%3A00.000Z"))
    expect(page).to_have_url(re.compile("to=2026-03-09T04%3A30%3A00.000Z"))
    for end in ("2026-03-08 12:00:00", "2026-03-09 00:30:00"):
        expect(page.get_by_role("button", name="Made:")).to_contain_text(end)
    expect(page.get_by_label("From")).to_have_value("2026-03-08T12:00")
    until = time.monotonic() + 60
    while not any("04%3A30" in url for url in asked) and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert "created_after=2026-03-08T16%3A00%3A00.000Z" in asked[-1]


def test_a_title_does_not_turn_the_sentences_about_it(fleet, operator):
    channel = fleet.channel("turned")
    fleet.tasks(channel, ["\u202eevil\u2069 title", "\u05e9\u05dc\u05d5\u05dd"])
    show_tasks(operator, channel)

    label = row(operator, "evil").get_by_role("checkbox").get_attribute("aria-label")
    assert label == "Choose “evil title”"
    label = row(operator, "\u05e9").get_by_role("checkbox").get_attribute("aria-label")
    assert label == "Choose “\u2068\u05e9\u05dc\u05d5\u05dd\u2069”"


def test_an_agent_without_channels_is_among_those_of_each(fleet, operator):
    channel = fleet.channel("served by all")
    fleet.ask("POST", "agents/heartbeat", agent_id="agent-for-all", name="for all")
    fleet.ask(
        "POST", "agents/heartbeat", agent_id="agent-for-one", name="one", subscriptions=["another"]
    )
    operator.goto(f"/#/agents?channel={channel['id']}")

    expect(row(operator, "for all")).to_be_visible()
    expect(rows_of(operator).filter(has_text="agent-for-one")).to_have_count(0)


def test_what_an_agent_says_is_shown_as_its_words(fleet, operator):
    fleet.ask("POST", "events", agent_id="agent-that-speaks", type="task.cancelled")
    operator.goto("/#/timeline?agent_id=agent-that-speaks")

    said = operator.locator("[data-event]").filter(has_text="task.cancelled")
    expect(said).to_contain_text("says the agent")


def test_back_leads_to_the_row_where_one_was_however_far_down(fleet, operator):
    channel = fleet.channel("far down")
    fleet.tasks(channel, [f"row {n}" for n in range(900)])
    show_tasks(operator, channel, "&sort=oldest")
    for _ in range(12):
        operator.mouse.wheel(0, 2_500)
        operator.wait_for_timeout(250)
    operator.wait_for_timeout(500)
    place = operator.evaluate("scrollY")
    assert place > 20_000
    inside = "all => all.find((one) => one.getBoundingClientRect().top > 300).dataset.row"
    there = rows_of(operator).evaluate_all(inside)
    operator.locator(f'[data-row="{there}"] a').first.click()
    expect(operator.locator("[data-open-task]")).to_be_visible()

    operator.go_back()

    expect(operator.locator(f'[data-row="{there}"]')).to_be_in_viewport()
    assert operator.evaluate("scrollY") == pytest.approx(place, abs=5)


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_browser_with_another_time_shows_ages_as_they_are(fleet, operator, hours):
    channel = fleet.channel(f"another time {hours}")
    operator.clock.set_system_time(datetime.now(UTC) + timedelta(hours=hours))
    operator.goto("/")
    expect(operator.locator("#connection")).to_contain_text("Live")
    fleet.tasks(channel, ["just made"])

    operator.goto(f"/#/tasks?channel={channel['id']}&age=hour")

    expect(row(operator, "just made").locator(".t-made")).to_have_text(re.compile(r"^\d+ (s|min)$"))
    fleet.tasks(channel, ["made after it"])
    expect(operator.get_by_role("button", name="Show what is new (1)")).to_be_visible()


STEADY = """async () => {
  const { Rows } = await import("/static/dashboard/rows.js");
  let next = ["a", "b", "c"];
  const read = async () => ({ rows: next.map((id) => ({ id })) });
  const list = new Rows({ read, paint: () => {}, steady: true });
  const seen = async (ids, how) => {
    next = ids;
    await list.begin(how);
    return list.rows.map(({ id }) => id).join("");
  };
  return [await seen(["a", "b", "c"], { anew: true }), await seen(["d", "c", "a", "e"]),
    await seen(["d", "c"], { anew: true })];
}"""


def test_groups_that_are_read_again_stay_where_they_are(operator):
    operator.goto("/")

    assert operator.evaluate(STEADY) == ["abc", "acde", "dc"]


def test_the_line_that_connects_an_agent_is_one_for_any_channel(fleet, operator, tmp_path):
    made = tmp_path / "made"
    channel = fleet.channel(f'it\'s "one" $(touch {made}) `touch {made}` !x %s \\ 작업')
    task = fleet.task(channel, "'; exit", payload={"task": {"id": f"$(touch {made})"}})
    operator.goto("/")
    line = operator.evaluate(
        """async (name) => (await import("/static/dashboard/first_run.js")).agentLine(name)""",
        channel["name"],
    )

    with shell(line, COORDINATOR_TOKEN=TOKEN):
        eventually(lambda: fleet.seen(task)["status"] == "done", 30)

    assert not made.exists()


def test_what_happens_is_said_in_words_also_while_it_happens(fleet, operator):
    operator.goto("/#/timeline")
    expect(operator.locator("#connection")).to_contain_text("Live")
    task = fleet.task(fleet.channel("said in words"), "told at once")

    of_task = operator.locator("[data-event]").filter(
        has=operator.locator(f'a[href="#/tasks/{task["id"]}"]')
    )
    expect(of_task.first).to_be_visible()
    expect(of_task.first.locator(".what")).to_be_visible()
