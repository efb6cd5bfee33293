"""Dialogs of verbs: they say what will happen as values are chosen; what was done is undone."""

from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.pages import chain_on, open_board, use_verb, verb_of


def open_task(page, title):
    page.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def is_preview(response):
    return '"preview":true' in (response.request.post_data or "")


def test_a_preview_follows_what_is_chosen_and_says_what_will_be_refused(operator, fleet):
    channel = fleet.channel("chosen")
    for agent in ("agent-20", "agent-21"):
        fleet.task(channel, f"known by {agent}")
        fleet.complete(agent, fleet.claim(agent, channel))
    fleet.ask("POST", "agents/agent-21/drain")
    fleet.task(channel, "for one of them")
    open_board(operator, channel)
    open_task(operator, "for one of them")

    verb_of(operator, "Assign").click()
    dialog = operator.get_by_role("dialog").last
    will = dialog.locator("ul.will")
    expect(will).to_contain_text("to agent …, as if it had claimed it")
    dialog.get_by_label("Agent").fill("agent-21")
    expect(will).to_contain_text("It will refuse: Agent 'agent-21' is draining.")
    dialog.get_by_label("Agent").fill("agent-20")
    expect(will).to_contain_text("to agent agent-20")
    expect(will).not_to_contain_text("refuse")
    accessibility.check(operator)
    dialog.get_by_role("button", name="Cancel", exact=True).click()
    expect(operator.get_by_role("dialog")).to_have_count(0)


def test_a_cancellation_is_undone(operator, fleet):
    channel = fleet.channel("undone")
    task = fleet.task(channel, "a slip")
    open_board(operator, channel)
    open_task(operator, "a slip")

    use_verb(operator, verb_of(operator, "Cancel"), "not needed")
    expect(operator.locator(".thing-head")).to_contain_text("cancelled")
    undo = verb_of(operator, "Undo the cancellation")
    sentences = use_verb(operator, undo, "it is needed")

    assert sentences == ["Puts 1 cancelled task back in the queue, at its place."]
    expect(operator.locator(".thing-head")).to_contain_text("queued")
    assert fleet.seen(task)["status"] == "queued"


def test_a_task_is_put_back_and_completed_in_its_agents_place(operator, fleet):
    channel = fleet.channel("taken")
    task = fleet.task(channel, "it hangs")
    fleet.claim("agent-22", channel)
    open_board(operator, channel)
    open_task(operator, "it hangs")

    use_verb(operator, verb_of(operator, "Put back in the queue"), "no answer")
    expect(operator.locator(".thing-head")).to_contain_text("queued")
    fleet.claim("agent-23", channel)
    expect(operator.locator(".thing-head")).to_contain_text("in progress")
    verb_of(operator, "Complete").click()
    dialog = operator.get_by_role("dialog").last
    dialog.get_by_label("Result").fill('{"by": "hand"}')
    dialog.get_by_label("Reason").fill("it was done")
    dialog.get_by_role("button", name="Complete", exact=True).click()

    expect(operator.get_by_role("dialog")).to_have_count(0)
    seen = fleet.seen(task)
    assert (seen["status"], seen["result"], seen["lease_epoch"]) == ("done", {"by": "hand"}, 2)


def test_what_changed_hands_since_the_dialog_told_what_will_happen_is_told_anew(operator, fleet):
    channel = fleet.channel("handed on")
    task = fleet.task(channel, "it hangs")
    fleet.claim("agent-26", channel)
    open_board(operator, channel)
    open_task(operator, "it hangs")
    verb_of(operator, "Put back in the queue").click()
    dialog = operator.get_by_role("dialog").last
    with operator.expect_response(is_preview):
        dialog.get_by_label("Reason").fill("no answer")
    fleet.act("tasks", "put_back", task)
    fleet.claim("agent-27", channel)

    with operator.expect_response(is_preview):
        dialog.get_by_role("button", name="Put back in the queue", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Look again, then decide.")
    assert fleet.seen(task)["assigned_agent_id"] == "agent-27"
    dialog.get_by_role("button", name="Put back in the queue", exact=True).click()

    expect(operator.get_by_role("dialog")).to_have_count(0)
    assert fleet.seen(task)["status"] == "queued"


def test_a_channel_is_added_to_what_an_agent_serves_on_the_way(operator, fleet):
    channel = fleet.channel("unserved")
    fleet.chain(channel, "waits for it", ["one"])
    fleet.ask("POST", "agents/heartbeat", agent_id="agent-24")
    open_board(operator, channel)
    chain = chain_on(operator, "waits for it")
    chain.get_by_role("button", name="waits for it").click()

    chain.get_by_role("button", name="Reassign: ").click()
    dialog = operator.get_by_role("dialog").last
    dialog.get_by_label("Agent").fill("agent-24")
    expect(dialog.locator("ul.will")).to_contain_text("is not subscribed to")
    dialog.get_by_label("Reason").fill("it is free")
    dialog.get_by_role("button", name="Reassign", exact=True).click()
    operator.get_by_role("button", name="Add and try again").click()

    expect(chain).to_contain_text("agent-24")
