"""The tables of the dashboard: filters in the address, choosing, verbs on many, keyboard, cards."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.pages import use_verb
from tests.coordinator_project.running import eventually

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def rows_of(page):
    return page.locator(".t-body > [role=row]")


def row(page, text):
    return rows_of(page).filter(has_text=text)


def menu_of(page, text):
    """The labels of what may be done to a row."""
    row(page, text).get_by_role("button", name="Actions").click()
    return page.get_by_role("menu").get_by_role("menuitem")


def show_tasks(page, channel, more=""):
    page.goto(f"/#/tasks?channel={channel['id']}{more}")
    expect(page.get_by_role("grid", name="Tasks")).to_be_visible()
    expect(page.locator("#connection")).to_contain_text("Live")


def test_filters_order_and_text_are_in_the_address(fleet, operator):
    channel = fleet.channel("addressed tasks")
    fleet.tasks(channel, ["apple pie", "apple tart", "plum cake"])
    show_tasks(operator, channel)
    expect(rows_of(operator)).to_have_count(3)

    operator.get_by_label("Find").fill("APPLE")
    operator.get_by_label("Order").select_option("oldest")
    expect(rows_of(operator)).to_have_count(2)
    expect(operator).to_have_url(re.compile("text=APPLE.*sort=oldest|sort=oldest.*text=APPLE"))
    operator.reload()
    expect(rows_of(operator)).to_have_count(2)
    expect(rows_of(operator).first).to_contain_text("pie")

    operator.get_by_role("button", name="Find: APPLE").click()
    expect(rows_of(operator)).to_have_count(3)
    operator.go_back()
    expect(rows_of(operator)).to_have_count(2)
    operator.get_by_role("columnheader", name="Made").get_by_role("button").click()
    expect(rows_of(operator).first).to_contain_text("tart")


def test_a_task_is_found_by_the_beginning_of_its_id(fleet, operator):
    channel = fleet.channel("found by id")
    task, _ = fleet.tasks(channel, ["this one", "another"])
    operator.goto(f"/#/tasks?text={task['id']}")

    expect(rows_of(operator)).to_have_count(1)
    expect(rows_of(operator)).to_contain_text("this one")


def test_rows_change_where_they_are_and_new_ones_wait_to_be_shown(fleet, operator):
    channel = fleet.channel("live rows")
    fleet.tasks(channel, ["first", "second"])
    show_tasks(operator, channel, "&status=queued")
    expect(rows_of(operator)).to_have_count(2)
    before = operator.locator("[role=columnheader]").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().left)"
    )

    task = fleet.claim("agent-of-live-rows", channel)
    expect(row(operator, task["title"])).to_contain_text("in progress")
    expect(row(operator, task["title"])).to_have_class(re.compile("stale"))
    fleet.tasks(channel, ["third"])
    expect(operator.get_by_role("button", name="Show what is new (1)")).to_be_visible()
    expect(rows_of(operator)).to_have_count(2)

    after = operator.locator("[role=columnheader]").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().left)"
    )
    assert after == before
    operator.get_by_role("button", name="Show what is new (1)").click()
    expect(row(operator, "third")).to_be_visible()
    expect(row(operator, task["title"])).to_have_count(0)


def test_the_menu_of_a_row_has_what_is_offered_on_it_and_no_more(fleet, operator):
    channel = fleet.channel("menus")
    fleet.tasks(channel, ["waits"])
    show_tasks(operator, channel)

    items = menu_of(operator, "waits")
    expect(items.filter(has_text="Change priority")).to_be_visible()
    expect(items.filter(has_text="Requeue")).to_have_count(0)
    use_verb(operator, items.filter(has_text=re.compile("^Cancel$")), "not needed")
    expect(row(operator, "waits")).to_contain_text("cancelled")


def test_chosen_rows_are_cancelled_together_and_the_audit_has_one_entry(fleet, operator):
    channel = fleet.channel("chosen together")
    fleet.tasks(channel, [f"number {n}" for n in range(5)])
    show_tasks(operator, channel)
    boxes = rows_of(operator).get_by_role("checkbox")
    boxes.nth(0).check()  # which fails where the box does not show at once what was chosen
    boxes.nth(2).click(modifiers=["Shift"])
    assert [boxes.nth(place).is_checked() for place in range(5)] == [True] * 3 + [False] * 2
    expect(operator.get_by_text("3 chosen")).to_be_visible()
    expect(rows_of(operator).nth(1)).to_have_attribute("aria-selected", "true")

    will = use_verb(operator, operator.get_by_role("button", name="Cancel", exact=True), "tidy up")

    assert any("3 tasks" in sentence for sentence in will)
    expect(rows_of(operator).filter(has_text="cancelled")).to_have_count(3)
    operator.goto("/#/actions")
    entry = row(operator, "tidy up")
    expect(entry).to_contain_text("3 rows")
    entry.get_by_role("button", name="Rows of").click()
    expect(operator.locator(".t-row.within")).to_have_count(3)
    expect(operator.locator(".t-row.within").first).to_contain_text("Status queued → cancelled")
    accessibility.check(operator)


def test_all_that_match_are_more_than_the_list_shows(fleet, operator):
    channel = fleet.channel("all that match")
    fleet.tasks(channel, [f"one of many {n}" for n in range(450)])
    fleet.tasks(channel, ["spared"])
    show_tasks(operator, channel, "&text=many&status=queued")

    operator.get_by_role("button", name="All that match…").click()
    expect(operator.get_by_text("all 450 that match")).to_be_visible()
    button = operator.get_by_role("button", name="Cancel", exact=True)
    assert any("450 tasks" in one for one in use_verb(operator, button, "not needed"))
    # So many have changed that no message names them: what is in sight is read again.
    expect(rows_of(operator).first).to_contain_text("cancelled")

    operator.goto(f"/#/tasks?channel={channel['id']}&status=queued")
    expect(rows_of(operator)).to_have_count(1)
    expect(rows_of(operator)).to_contain_text("spared")


def test_a_view_is_saved_chosen_and_removed(fleet, operator):
    channel = fleet.channel("viewed")
    fleet.tasks(channel, ["seen"])
    show_tasks(operator, channel, "&sort=oldest")
    operator.get_by_role("button", name="Save this view").click()
    dialog = operator.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Mine, oldest first")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog).not_to_be_attached()

    operator.goto("/#/tasks")
    operator.get_by_label("Saved views").select_option("Mine, oldest first")
    expect(operator).to_have_url(re.compile(f"channel={channel['id']}"))
    expect(operator).to_have_url(re.compile("sort=oldest"))
    operator.reload()
    operator.get_by_role("button", name="Remove this view").click()
    expect(operator.get_by_label("Saved views")).to_have_count(0)


def test_by_keyboard_alone(fleet, operator):
    channel = fleet.channel(f"by keyboard {uuid4()}")
    tasks = fleet.tasks(channel, [f"key {n}" for n in range(60)])
    show_tasks(operator, channel, "&sort=oldest")
    rows_of(operator).first.focus()

    def focused():
        return operator.evaluate("document.activeElement.dataset.row")

    for key, place in (("ArrowDown", 1), ("End", 59), ("Home", 0), ("ArrowDown", 1)):
        operator.keyboard.press(key)
        eventually(lambda place=place: focused() == tasks[place]["id"])
    operator.keyboard.press("Space")
    operator.keyboard.press("Shift+ArrowDown")
    expect(operator.get_by_text("2 chosen")).to_be_visible()
    operator.keyboard.press("m")
    menu = operator.get_by_role("menu")
    expect(menu.get_by_role("menuitem").first).to_be_focused()
    operator.keyboard.press("ArrowDown")
    expect(menu.get_by_role("menuitem").nth(1)).to_be_focused()
    operator.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    rows_of(operator).nth(2).focus()
    operator.keyboard.press("Enter")
    expect(operator).to_have_url(re.compile(r"#/tasks/[0-9a-f-]{36}$"))


def test_who_may_only_look_is_offered_nothing(fleet, people):
    channel = fleet.channel("only looked at")
    fleet.tasks(channel, ["seen"])
    viewer = people.page_of("viewer")
    show_tasks(viewer, channel)

    expect(row(viewer, "seen")).to_be_visible()
    expect(viewer.get_by_role("checkbox")).to_have_count(0)
    expect(viewer.get_by_role("button", name="Actions")).to_have_count(0)
    expect(viewer.get_by_role("button", name="All that match…")).to_have_count(0)


def test_dead_letters_are_grouped_and_a_group_is_requeued(fleet, operator):
    channel = fleet.channel("letters in groups")
    fleet.tasks(channel, [f"dies {n}" for n in range(3)])
    for n, reason in enumerate(("exit status 7 in job 11", "exit status 8 in job 12", "no disk")):
        task = fleet.claim("undertaker", channel)
        body = {"task_id": task["id"], "agent_id": "undertaker", "reason": reason}
        fleet.ask("POST", "tasks/fail", **body)
        assert n < 3
    operator.goto(f"/#/dead-letters?channel={channel['id']}")
    expect(rows_of(operator)).to_have_count(2)
    expect(rows_of(operator).first).to_contain_text("exit status <n> in job <n>")
    expect(rows_of(operator).first).to_contain_text("2")
    accessibility.check(operator)

    rows_of(operator).first.press("Enter")
    expect(operator).to_have_url(re.compile("group="))
    expect(rows_of(operator)).to_have_count(2)
    operator.go_back()
    rows_of(operator).first.get_by_role("link").click()
    expect(operator).to_have_url(re.compile(f"channel={channel['id']}.*group="))
    expect(rows_of(operator)).to_have_count(2)
    operator.go_back()
    items = menu_of(operator, "exit status")
    use_verb(operator, items.filter(has_text="Requeue"), "mended")
    expect(rows_of(operator)).to_have_count(1)
    expect(rows_of(operator)).to_contain_text("no disk")


def test_agents_are_sorted_found_and_drained_together(fleet, operator):
    channel = fleet.channel("sorted agents")
    fleet.tasks(channel, ["a", "b", "c"])
    for name in ("sorted-good", "sorted-bad"):
        task = fleet.claim(name, channel)
        if name == "sorted-good":
            fleet.complete(name, task)
        else:
            body = {"task_id": task["id"], "agent_id": name, "reason": "it broke"}
            fleet.ask("POST", "tasks/fail", **body)
    meta = {"version": "9.8.7"}
    fleet.ask("POST", "agents/heartbeat", agent_id="sorted-good", meta=meta)
    operator.goto("/#/agents?text=sorted-&sort=success")

    expect(rows_of(operator)).to_have_count(2)
    expect(rows_of(operator).first).to_contain_text("sorted-bad")
    expect(rows_of(operator).first).to_contain_text("0 % of 1")
    expect(rows_of(operator).first).to_contain_text("it broke")
    expect(row(operator, "sorted-good")).to_contain_text("100 % of 1")
    operator.get_by_label("All of this list").check()
    use_verb(operator, operator.get_by_role("button", name="Drain", exact=True), "maintenance")
    expect(rows_of(operator).filter(has_text="draining")).to_have_count(2)
    use_verb(operator, operator.get_by_role("button", name="Resume", exact=True), "it is over")
    expect(rows_of(operator).filter(has_text="online")).to_have_count(2)


@pytest.mark.parametrize(
    "path", ["tasks", "agents", "agents?show=grid", "jobs", "dead-letters", "actions"]
)
@pytest.mark.parametrize("size", ["phone", "desk"])
def test_each_table_is_for_everybody(people, fleet, path, size):
    channel = fleet.channel(f"for everybody {path} {size}")
    fleet.tasks(channel, ["<b>a</b> " * 40, "둘"])
    task = fleet.claim("somebody", channel)
    fleet.ask("POST", "tasks/fail", task_id=task["id"], agent_id="somebody", reason="it broke")
    page = people.page_of("operator", **(PHONE if size == "phone" else {}))
    page.goto(f"/#/{path}")
    expect(page.locator("#connection")).to_contain_text("Live")
    expect(page.locator('[aria-busy="true"]')).to_have_count(0)

    accessibility.check(page)
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_rows_are_cards(people, fleet):
    channel = fleet.channel("cards")
    fleet.tasks(channel, ["on a card"])
    phone = people.page_of("operator", **PHONE)
    show_tasks(phone, channel)

    card = row(phone, "on a card")
    expect(card).to_be_visible()
    assert card.bounding_box()["height"] > 70
    items = menu_of(phone, "on a card")
    use_verb(phone, items.filter(has_text=re.compile("^Cancel$")), "by thumb")
    expect(card).to_contain_text("cancelled")
