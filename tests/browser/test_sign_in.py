import re
from uuid import uuid4

from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.people import PASSWORD, sign_in


def test_who_is_not_signed_in_is_asked_to_and_then_sees_what_was_asked_for(people):
    page = people.page()

    page.goto("/admin/")
    expect(page).to_have_url(re.compile(r"/login\?next=/admin/$"))
    sign_in(page, "operator")

    expect(page).to_have_url(re.compile(r"/admin/$"))


def test_a_wrong_password_is_told_and_opens_nothing(people):
    page = people.page()

    page.goto("/login")
    sign_in(page, "operator", "something else")

    expect(page.get_by_role("alert")).to_contain_text("correct username and password")
    page.goto("/admin/")
    expect(page).to_have_url(re.compile("/login"))


def test_a_person_is_made_in_the_admin_and_signs_in_once_a_group_is_chosen(people):
    boss, page, name = people.page_of("boss"), people.page(), f"newcomer-{uuid4().hex[:8]}"
    boss.goto("/admin/accounts/user/add/")
    accessibility.check(boss)
    boss.get_by_label("Username").fill(name)
    boss.get_by_label("Password", exact=True).fill(PASSWORD)
    boss.get_by_label("Password confirmation").fill(PASSWORD)
    boss.get_by_role("button", name="Save", exact=True).click()
    expect(boss.get_by_text("added successfully")).to_be_visible()

    page.goto("/login?next=/admin/")
    sign_in(page, name)
    expect(page.get_by_role("alert")).to_contain_text("Ask an administrator")

    boss.get_by_label("Viewer").check()
    boss.get_by_role("button", name="Save", exact=True).click()
    expect(boss.get_by_text("changed successfully")).to_be_visible()
    sign_in(page, name)
    expect(page).to_have_url(re.compile(r"/admin/$"))


def test_the_page_to_sign_in_can_be_used_by_everybody(people):
    page = people.page()

    page.goto("/login")

    accessibility.check(page)
