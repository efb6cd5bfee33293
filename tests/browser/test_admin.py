import re

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility

TWICE = """() => {
  const prevented = [];
  addEventListener("submit", (event) => {
    prevented.push(event.defaultPrevented);
    event.preventDefault();
  });
  const form = document.getElementById("verb-form");
  form.requestSubmit();
  form.requestSubmit();
  return prevented;
}"""
"""Sends the form of a verb twice, and says which time the page kept it back."""


def confirm(page, verb, reason):
    """Read what the verb will do, give the reason and do it; returns the sentences."""
    will = page.locator("#will li")
    expect(will.first).to_be_visible()
    sentences = will.all_inner_texts()
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name=verb).click()
    return sentences


def verb_link(page, verb):
    """The button of a page; the name of its icon is read before it."""
    return page.get_by_role("link", name=re.compile(rf"\b{verb}$"))


def use_verb(page, verb, reason):
    verb_link(page, verb).click()
    return confirm(page, verb, reason)


def test_a_chain_whose_agent_hangs_is_detached_and_unlocked_from_the_admin(operator, fleet):
    channel = fleet.channel("admin hanging")
    chain, tasks = fleet.chain(channel, "deploy", ["build", "ship"])
    fleet.claim("agent-6", channel)

    operator.goto(f"/admin/chains/chain/{chain['id']}/change/")
    sentences = use_verb(operator, "Detach", "the agent hangs")
    assert "Ownership of agent agent-6 ends." in sentences
    timeline = operator.get_by_role("region", name="Timeline").first
    expect(timeline).to_contain_text("the agent hangs")
    assert fleet.seen(tasks[0])["status"] == "locked"

    use_verb(operator, "Unlock to done", "it was built")
    expect(timeline).to_contain_text("it was built")
    assert fleet.seen(tasks[0])["status"] == "done"


def test_a_verb_is_used_on_all_that_match_a_filter(operator, fleet):
    channel = fleet.channel("admin bulk")
    tasks = fleet.tasks(channel, [f"step {number}" for number in range(150)])
    taken = fleet.claim("agent-7", channel)
    matching = f"status__exact=queued&channel__id__exact={channel['id']}"

    operator.goto(f"/admin/tasks/task/?{matching}")
    operator.locator("#action-toggle").check()
    operator.get_by_role("link", name=re.compile("Select all 149")).click()
    operator.locator('select[name="action"]').select_option("cancel")
    operator.get_by_role("button", name=re.compile("^Run")).click()
    accessibility.check(operator)
    sentences = confirm(operator, "Cancel", "not wanted any more")

    assert any("149" in sentence for sentence in sentences)
    expect(operator.get_by_text("149", exact=False).first).to_be_visible()
    statuses = [fleet.seen(task)["status"] for task in (tasks[1], tasks[-1], taken)]
    assert statuses == ["cancelled", "cancelled", "in_progress"]


def test_a_second_click_makes_nothing_twice(operator, fleet):
    channel = fleet.channel("clicked twice")
    operator.goto(f"/admin/tasks/channel/{channel['id']}/verb/new_task/")
    operator.get_by_label("Title").fill("only once")

    assert operator.evaluate(TWICE) == [False, True]
    operator.reload()
    operator.get_by_label("Title").fill("only once")
    operator.get_by_role("button", name="New task").dblclick(no_wait_after=True)

    expect(operator.get_by_text("New task: 1 done.")).to_be_visible()
    found = fleet.ask("GET", f"tasks?channel_id={channel['id']}")["tasks"]
    assert [task["title"] for task in found] == ["only once"]


@pytest.mark.parametrize("kind", ["agents/agent", "tasks/channel", "tasks/task", "chains/chain"])
def test_lists_and_pages_of_things_can_be_used_by_everybody(operator, fleet, kind):
    channel = fleet.channel(f"admin {kind}")
    fleet.chain(channel, "looked after", ["one", "two"])
    fleet.claim(f"agent-{kind}", channel)

    operator.goto(f"/admin/{kind}/")
    accessibility.check(operator)
    operator.locator("#result_list tbody a").first.click()
    expect(operator.get_by_role("heading", name="Timeline")).to_be_visible()
    accessibility.check(operator)


def test_who_may_only_look_is_offered_no_verbs(people, fleet):
    channel = fleet.channel("admin looked at")
    chain, _ = fleet.chain(channel, "seen only", ["one"])
    fleet.claim("agent-8", channel)
    page = people.page_of("viewer")

    page.goto(f"/admin/chains/chain/{chain['id']}/change/")

    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    expect(verb_link(page, "Detach")).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "title"), [("ko", "타임라인"), ("ru", "Хроника")], ids=["ko", "ru"]
)
def test_it_speaks_the_language_of_the_browser(people, fleet, language, title):
    channel = fleet.channel(f"admin {language}")
    chain, _ = fleet.chain(channel, "spoken", ["one"])
    page = people.page_of("operator", locale=language)

    page.goto(f"/admin/chains/chain/{chain['id']}/change/")

    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.get_by_role("heading", name=title)).to_be_visible()
