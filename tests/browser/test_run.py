"""The page of a run: its log as it grows, searched and linked, and its files."""

import re

from playwright.sync_api import expect

from tests.browser import accessibility


def lines(page):
    return page.locator(".log .line")


def test_a_log_is_seen_as_it_grows_and_the_end_of_the_command(operator, fleet):
    task = fleet.command("growing", "build it", "runner-1")
    fleet.log(task, 1, "first", "\x1b[32mgreen\x1b[0m and <b>plain</b>")

    operator.goto(f"/#/run/{task['id']}")
    expect(operator.get_by_role("heading", level=1)).to_have_text("build it")
    expect(lines(operator)).to_have_count(2)
    expect(lines(operator).nth(1)).to_contain_text("green and <b>plain</b>")
    expect(operator.locator(".log i.fore-2")).to_have_text("green")
    fleet.log(task, 1, "a warning", stream="stderr")
    expect(operator.locator(".log .line.stderr")).to_contain_text("a warning")
    fleet.file(task, "reports/résumé 1.txt", b"content")
    fleet.exit(task, "failed", 37)

    expect(operator.locator(".thing-head .status")).to_have_text("failed")
    expect(operator.get_by_text("The log is complete.")).to_be_visible()
    expect(operator.locator(".facts")).to_contain_text("37")
    expect(operator.locator(".facts")).to_contain_text("coordinator job retry")
    with operator.expect_download() as download:
        operator.get_by_role("link", name="reports/résumé 1.txt").click()
    assert download.value.path().read_bytes() == b"content"
    accessibility.check(operator)


def test_a_long_log_is_searched_and_its_lines_have_addresses(operator, fleet):
    task = fleet.command("searching", "long", "runner-2")
    fleet.log(task, 1, *(f"line {number}" for number in range(1, 3001)))
    fleet.exit(task)

    operator.goto(f"/#/run/{task['id']}/1500")
    expect(operator.locator(".log .line.chosen")).to_contain_text("line 1500")
    assert lines(operator).count() < 200
    operator.get_by_label("Search").fill("line 299")
    expect(operator.get_by_text("1 of 11")).to_be_visible()
    expect(operator.locator(".log .line.hit")).to_contain_text("line 299")
    operator.get_by_label("Search").press("Enter")
    expect(operator.locator(".log .line.hit")).to_contain_text("line 2990")
    operator.locator(".log .line.hit a").click()
    expect(operator).to_have_url(re.compile(f"#/run/{task['id']}/2990$"))


def test_a_command_is_found_among_the_jobs_and_from_its_task(operator, fleet):
    task = fleet.command("finding", "from the jobs", "runner-3")
    fleet.log(task, 1, "here")

    operator.goto("/#/jobs")
    operator.get_by_role("link", name="from the jobs").click()
    expect(operator).to_have_url(re.compile(f"#/jobs/{task['job_id']}$"))
    operator.get_by_role("link", name="Log and files").click()
    expect(lines(operator)).to_have_count(1)
    operator.get_by_role("link", name="Task", exact=True).click()
    expect(operator).to_have_url(re.compile(f"#/tasks/{task['id']}$"))
    operator.get_by_role("link", name="Log and files").click()
    expect(operator).to_have_url(re.compile(f"#/run/{task['id']}$"))
    fleet.exit(task)


def test_a_log_is_as_tall_as_its_lines_and_all_that_is_seen_is_painted(operator, fleet):
    task = fleet.command("tall", "a short log", "runner-4")
    operator.set_viewport_size({"width": 1440, "height": 3000})

    operator.goto(f"/#/run/{task['id']}")
    expect(operator.get_by_text("It has written nothing yet.")).to_be_visible()
    expect(operator.locator(".log .lines")).to_be_hidden()
    fleet.log(task, 1, *(f"line {number}" for number in range(1, 81)))

    expect(lines(operator)).to_have_count(80)
    expect(lines(operator).last).to_be_in_viewport()
    fleet.exit(task)
